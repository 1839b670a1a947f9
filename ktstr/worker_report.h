// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_WORKER_REPORT_H_
#define KTSTR_KTSTR_WORKER_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ktstr {

// How a worker that sent no report ended.
struct WorkerExit {
  enum class Kind {
    kReported,    // it did send one
    kExited,      // `value` is the exit code
    kSignaled,    // `value` is the signal
    kTimedOut,    // still running at the end of collection; killed
    kWaitFailed,  // `value` is the errno of the wait
  };
  Kind kind = Kind::kReported;
  int value = 0;

  // "killed by signal 11", "exited with code 1", ...
  std::string ToString() const;
};

struct Migration {
  uint64_t at_ns = 0;  // since loop entry
  int from_cpu = 0;
  int to_cpu = 0;
};

// "Was seen on `cpu` while placement `epoch` was in force." Epochs count the
// changes of the worker's cpuset; see internal/worker_group.h.
struct Residence {
  uint32_t epoch = 0;
  int cpu = 0;

  friend auto operator<=>(const Residence&, const Residence&) = default;
};

// What one worker process measured about itself. A report without `completed`
// was made up for a worker that sent none: all counts are zero.
struct WorkerReport {
  int pid = 0;
  bool completed = false;
  // Total of the work type's units, and outer loop passes.
  uint64_t work_units = 0;
  uint64_t iterations = 0;
  // Thread CPU clock; loop entry to stop; wall - cpu floored at 0, which
  // includes voluntary sleep.
  uint64_t cpu_time_ns = 0;
  uint64_t wall_time_ns = 0;
  uint64_t off_cpu_ns = 0;
  // Voluntary blocking: sleeps as requested, waits for a partner as measured.
  uint64_t blocked_ns = 0;
  // Time the host took from the CPUs this worker was on; 0 unless the group was
  // started steal-aware.
  uint64_t stolen_ns = 0;
  // CPU changes seen at checkpoints; the list keeps the first kMaxMigrations.
  uint64_t migration_count = 0;
  std::vector<Migration> migrations;
  // Distinct, in order of first sight; keeps the first kMaxResidences.
  std::vector<Residence> residences;
  // Time the test itself had stopped this worker, by freezing its cgroup.
  uint64_t frozen_ns = 0;
  // Longest time between checkpoints less intended blocking and frozen time
  // (and less stolen time in a steal-aware group); the CPU before it; offset of
  // its end.
  uint64_t max_gap_ns = 0;
  int max_gap_cpu = -1;
  uint64_t max_gap_at_ns = 0;
  uint64_t max_gap_stolen_ns = 0;
  // Uniform sample of at most kMaxLatencies, and how many there were.
  std::vector<uint64_t> resume_latencies_ns;
  uint64_t wake_sample_total = 0;
  // Deltas of /proc/<pid>/schedstat: time on CPU, time runnable but waiting,
  // times scheduled in.
  bool has_schedstat = false;
  uint64_t schedstat_cpu_ns = 0;
  uint64_t schedstat_run_delay_ns = 0;
  uint64_t schedstat_run_count = 0;
  // First of a fan-out group: wakes others and waits for nobody.
  bool is_messenger = false;
  // Pages of the process by NUMA node when its work ended; empty where the
  // kernel does not say. Pages that the kernel moved between nodes meanwhile,
  // of the whole system; unset without NUMA balancing.
  std::map<int, uint64_t> numa_pages;
  std::optional<uint64_t> vmstat_numa_pages_migrated;
  // Why affinity, policy or memory policy could not be applied, or the work
  // type not go on; empty when all went well.
  std::string setup_error;
  WorkerExit exit;

  static constexpr size_t kMaxLatencies = 100000;
  static constexpr size_t kMaxMigrations = 4096;
  static constexpr size_t kMaxResidences = 16384;
  static constexpr size_t kMaxNodes = 1024;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_WORKER_REPORT_H_
