// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_HOST_CPUS_H_
#define KTSTR_BASE_HOST_CPUS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ktstr {

// One online CPU of the machine this program runs on, and whom it shares with.
struct HostCpu {
  int cpu = 0;
  // Lowest CPU of the core (SMT siblings have the same), of the group behind
  // the largest cache, and the NUMA node.
  int core = 0;
  int llc = 0;
  int node = 0;

  friend bool operator==(const HostCpu&, const HostCpu&) = default;
};

// The CPUs of `allowed` that are online, ascending, read from
// `sys`/devices/system. A CPU without cache files is an LLC of its own; without
// node directories everything is node 0.
//
// Errors:
//   FailedPrecondition  none of `allowed` is online.
//   InvalidArgument     a file that does not hold what the kernel writes there.
//   the mapping of errno
absl::StatusOr<std::vector<HostCpu>> ReadHostCpus(
    const std::vector<int>& allowed, const std::string& sys = "/sys");

// CPUs this thread may run on, ascending.
std::vector<int> AllowedHostCpus();

}  // namespace ktstr

#endif  // KTSTR_BASE_HOST_CPUS_H_
