// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_AFFINITY_H_
#define KTSTR_KTSTR_INTERNAL_AFFINITY_H_

#include <sched.h>
#include <sys/types.h>

#include <vector>

namespace ktstr::internal {

inline constexpr int kMaxAffinityCpus = 4096;

// sched_setaffinity(2) of one thread, 0 for the caller; CPUs above
// kMaxAffinityCpus are not set. False with errno.
inline bool SetAffinity(pid_t tid, const std::vector<int>& cpus) {
  cpu_set_t mask[kMaxAffinityCpus / CPU_SETSIZE];
  CPU_ZERO_S(sizeof(mask), mask);
  for (int cpu : cpus) CPU_SET_S(cpu, sizeof(mask), mask);
  return sched_setaffinity(tid, sizeof(mask), mask) == 0;
}

// sched_getaffinity(2) of the caller, ascending; empty with errno.
inline std::vector<int> GetAffinity() {
  cpu_set_t mask[kMaxAffinityCpus / CPU_SETSIZE];
  CPU_ZERO_S(sizeof(mask), mask);
  if (sched_getaffinity(0, sizeof(mask), mask) != 0) return {};
  std::vector<int> cpus;
  for (int cpu = 0; cpu < kMaxAffinityCpus; ++cpu) {
    if (CPU_ISSET_S(cpu, sizeof(mask), mask)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_AFFINITY_H_
