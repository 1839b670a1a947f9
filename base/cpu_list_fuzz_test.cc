// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdint>

#include "base/cpu_list.h"

// What is accepted means the same when written and read again.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view text(reinterpret_cast<const char*>(data), size);
  auto cpus = ktstr::ParseCpuList(text);
  if (!cpus.ok()) return 0;
  auto again = ktstr::ParseCpuList(ktstr::FormatCpuList(*cpus));
  if (!again.ok() || *again != *cpus) __builtin_trap();
  return 0;
}
