// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BPF_LLCS_H_
#define KTSTR_BPF_LLCS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ktstr::bpf {

// Which last-level cache each CPU has.
struct Llcs {
  int count = 0;
  // of_cpu[cpu] in [0, count), numbered as their lowest CPUs are; 0 for a CPU
  // that is not online. Its size is the number of CPUs that may come to be.
  std::vector<int> of_cpu;
};

// Reads the caches from `cpu_dir`, laid out as /sys/devices/system/cpu
// (Documentation/ABI/testing/sysfs-devices-system-cpu). A CPU's last-level
// cache is the one with the highest level.
//
// Errors:
//   NotFound         a CPU that is online names no cache.
//   InvalidArgument  a file holds something else than the kernel writes.
absl::StatusOr<Llcs> ReadLlcs(const std::string& cpu_dir);

}  // namespace ktstr::bpf

#endif  // KTSTR_BPF_LLCS_H_
