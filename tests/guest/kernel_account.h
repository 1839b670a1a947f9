// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_GUEST_KERNEL_ACCOUNT_H_
#define KTSTR_TESTS_GUEST_KERNEL_ACCOUNT_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ktstr/work_type.h"
#include "ktstr/worker_report.h"

namespace ktstr {

// What the kernel says that the threads of a process did since they began.
struct KernelAccount {
  // /proc/PID/schedstat
  uint64_t cpu_ns = 0;
  uint64_t run_delay_ns = 0;
  uint64_t run_count = 0;
  // /proc/PID/sched
  uint64_t exec_ns = 0;
  uint64_t migrations = 0;
  uint64_t voluntary_switches = 0;
};

// InvalidArgument naming the number that is missing.
absl::StatusOr<KernelAccount> ParseKernelAccount(absl::string_view schedstat,
                                                 absl::string_view sched);

// Reads both files of every thread.
absl::StatusOr<KernelAccount> ReadKernelAccount(pid_t pid);

// The first number of /proc/PID/schedstat, of the first thread.
absl::StatusOr<uint64_t> ReadCpuNs(pid_t pid);

// One worker as seen from outside, with the times of the two looks. The worker
// was told to stop right after the second.
struct Observation {
  KernelAccount before;  // it waits for its start, or for a CPU to do so
  KernelAccount after;
  // Thread time: from before the first to before the second look, and from then
  // until all reports were there, each for every thread of the worker.
  uint64_t observed_ns = 0;
  uint64_t collected_ns = 0;
  // The longest waits that may have been under way at the first look, since the
  // worker was made, and at the second, since it was last seen to have run. The
  // kernel adds a wait when it is over.
  uint64_t pending_before_ns = 0;
  uint64_t pending_ns = 0;
};

// Whether a worker's own account agrees with the kernel's; one sentence for
// each number that does not. The worker counts from its loop's entry, later
// than the first look, to its stop, later than the second. Tolerances, with
// `late` = the time in the window that was not the loop's:
//
//   wall           at least the kernel's CPU time - 3 % - 30 ms, at most the
//                  observed time + collected
//   CPU time       kernel's, -(3 % + 30 ms + late) +(3 % + 30 ms + collected)
//   run delay      the same, - pending at the first look, + at the second
//   runs           kernel's by the share of time, ± 25 % ± 500
//   migrations     at most the kernel's, + 25 % + 20: some are not seen.
//                  AffinityChurn: at least half of them
//   wake samples   Bursty: voluntary switches ± 25 % ± 20, + one a period of
//                  `collected`, when it is less crowded; IoSync, ForkExit,
//                  types that wait for others: at least the switches - 25 % -
//                  50 (a wait can be over before the worker was switched out)
std::vector<std::string> Disagreements(const WorkType& type,
                                       const WorkerReport& report,
                                       const Observation& seen);

}  // namespace ktstr

#endif  // KTSTR_TESTS_GUEST_KERNEL_ACCOUNT_H_
