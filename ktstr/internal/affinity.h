// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_AFFINITY_H_
#define KTSTR_KTSTR_INTERNAL_AFFINITY_H_

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/types.h>

#include <string>
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

// The same of every thread that process `pid` has at this moment; one that ends
// meanwhile is skipped.
inline bool SetProcessAffinity(pid_t pid, const std::vector<int>& cpus) {
  DIR* tasks = opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
  if (tasks == nullptr) return SetAffinity(pid, cpus);
  bool is_set = true;
  int error = 0;
  while (const dirent* entry = readdir(tasks)) {
    const pid_t tid = atoi(entry->d_name);  // 0 for "." and ".."
    if (tid <= 0 || SetAffinity(tid, cpus) || errno == ESRCH) continue;
    is_set = false;
    error = errno;
  }
  closedir(tasks);
  if (!is_set) errno = error;
  return is_set;
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
