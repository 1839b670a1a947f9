// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_VERDICT_H_
#define KTSTR_KTSTR_VERDICT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ktstr/measurement.h"

namespace ktstr {

// What a finding is about. Filters use kinds, never messages. Numbers and
// meanings are those of ktstr.v1.FindingKind (internal/frames.cc asserts it).
enum class FindingKind : int {
  kUnspecified = 0,
  kStarved = 1,
  kStuck = 2,
  kUnfair = 3,
  kIsolation = 4,
  kBenchmark = 5,
  kMigration = 6,
  kPageLocality = 7,
  kCrossNodeMigration = 8,
  kSlowTier = 9,
  kSchedulerDied = 11,
  kTestBodyError = 16,
  kNotEvaluated = 17,
  kOther = 19,
  // Found by the host or guestd; a test can only expect them.
  kSchedulerNotAttached = 12,
  kKernelPanic = 13,
  kGuestHung = 14,
  kSchedulerStalled = 20,
  kSchedulerEjected = 21,
};

// "Starved", "TestBodyError", ...
const char* FindingKindName(FindingKind kind);

struct Finding {
  FindingKind kind = FindingKind::kOther;
  // One sentence with the measured value and the limit.
  std::string message;
  // Cgroup concerned; empty for the whole scenario and for host workers.
  std::string cgroup;
};

// Telemetry of one work group. Unset means not measured; zero means measured as
// zero. Formulas: docs/checks.md.
struct GroupStats {
  std::string cgroup;
  std::string work;  // name of the work type
  int workers = 0;
  int cpus = 0;  // distinct CPUs used
  std::optional<double> avg_off_cpu_pct;
  std::optional<double> min_off_cpu_pct;
  std::optional<double> max_off_cpu_pct;
  std::optional<double> spread_pct;
  std::optional<double> max_gap_ms;
  std::optional<int> max_gap_cpu;
  int64_t migrations = 0;
  int64_t iterations = 0;
  int64_t work_units = 0;
  std::optional<double> p99_wake_latency_us;
  std::optional<double> median_wake_latency_us;
  std::optional<double> wake_latency_cv;
  std::optional<double> mean_run_delay_us;
  std::optional<double> worst_run_delay_us;
  std::optional<double> migration_ratio;
  std::optional<double> page_locality;
  std::optional<double> cross_node_migration_ratio;
  // What the test itself took from the group: the longest a worker was frozen;
  // how long cpu.max throttled its cgroup, summed over CPUs.
  std::optional<double> frozen_ms;
  std::optional<double> throttled_ms;
};

// What a test body concludes. Starts as "passed, nothing to say".
struct Verdict {
  bool passed = true;
  // Only when nothing ran; `passed` is true as well.
  bool skipped = false;
  std::string skip_reason;
  std::vector<Finding> findings;
  std::vector<GroupStats> groups;
  // What the test recorded; see Context::record.
  std::vector<Measurement> measurements;

  // Records a finding and fails the verdict.
  void Add(Finding finding);

  // passed and skipped are both ANDed (a skip beside something that ran is no
  // skip); lists are appended.
  void Merge(Verdict other);
};

// What bodies return.
Verdict pass();
Verdict skip(std::string reason);
// Fails with one finding of kind kOther.
Verdict fail(std::string message);

}  // namespace ktstr

#endif  // KTSTR_KTSTR_VERDICT_H_
