// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdint>

#include "model/topology.h"

// Accepted text is a machine whose every CPU has a place, and survives being
// written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using ktstr::Topology;
  absl::string_view text(reinterpret_cast<const char*>(data), size);
  auto topology = Topology::Parse(text);
  if (!topology.ok()) return 0;
  auto again = Topology::Parse(topology->ToString());
  if (!again.ok() || *again != *topology) __builtin_trap();
  if (topology->cpus() > Topology::kMaxCpus) __builtin_trap();
  for (int cpu = 0; cpu < topology->cpus(); ++cpu) {
    ktstr::CpuPlace place = topology->PlaceOf(cpu);
    if (place.node >= topology->nodes() || place.llc >= topology->llcs() ||
        place.core >= topology->cores_per_llc() ||
        place.thread >= topology->threads_per_core()) {
      __builtin_trap();
    }
  }
  return 0;
}
