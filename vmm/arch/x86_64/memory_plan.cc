// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/memory_plan.h"

#include <algorithm>

#include "vmm/arch/x86_64/layout.h"

namespace ktstr::vmm {

std::vector<GuestMemory::Range> PlanMemory(const Topology& topology,
                                           uint64_t memory_mib) {
  std::vector<GuestMemory::Range> ranges;
  const uint64_t nodes = uint64_t(topology.nodes());
  const uint64_t share = memory_mib / nodes * kMiB;
  uint64_t next = 0;
  for (uint64_t node = 0; node < nodes; ++node) {
    uint64_t left =
        node + 1 < nodes ? share : memory_mib * kMiB - share * (nodes - 1);
    while (left > 0) {
      if (next == kHoleStart) next = kHighRam;
      uint64_t size =
          next < kHoleStart ? std::min(left, kHoleStart - next) : left;
      ranges.push_back({.start = GuestPhysAddr(next),
                        .size_bytes = size,
                        .node = int(node)});
      next += size;
      left -= size;
    }
  }
  return ranges;
}

}  // namespace ktstr::vmm
