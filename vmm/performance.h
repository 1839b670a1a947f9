// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_PERFORMANCE_H_
#define KTSTR_VMM_PERFORMANCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/performance_spec.h"

namespace ktstr::vmm {

// What a host offers to a guest that wants hardware of its own.
struct HostOffer {
  // CPUs this process may use.
  std::vector<int> cpus;
  // Why threads cannot be SCHED_FIFO; empty when they can.
  std::string no_fifo_reason;
  // Free pages of 2 MiB in the pool.
  int64_t free_huge_pages = 0;
  // "tsc" is the one that does not drift between CPUs and costs no exit.
  std::string clocksource;
};

// Looks at this machine. What cannot be read counts as not offered.
HostOffer ReadHostOffer();

// Whether `offer` has everything the performance mode needs.
//
// Errors: FailedPrecondition naming every unmet precondition with what is
// needed
//         and what there is.
absl::Status CheckOffer(const HostOffer& offer, const PerformanceSpec& spec,
                        int64_t memory_mib);

// vCPUs, and the threads that serve them: they must get a word in.
inline constexpr int kVcpuFifoPriority = 1;
inline constexpr int kServiceFifoPriority = 2;

// Moves the calling thread to one host CPU and into SCHED_FIFO.
absl::Status ClaimCpu(int cpu, int fifo_priority);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_PERFORMANCE_H_
