// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_EVALUATE_H_
#define KTSTR_KTSTR_INTERNAL_EVALUATE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "ktstr/checks.h"
#include "ktstr/internal/judge_pages.h"
#include "ktstr/verdict.h"
#include "ktstr/worker_report.h"

namespace ktstr::internal {

// Which thresholds a scenario's groups could be judged by, over all groups.
struct Evaluated {
  bool isolation = false;
  bool gap = false;
  bool spread = false;
  bool throughput_cv = false;
  bool work_rate = false;
  bool p99_wake_latency = false;
  bool wake_latency_cv = false;
  bool iteration_rate = false;
  bool migration_ratio = false;
  PagesEvaluated pages;

  void Merge(const Evaluated& other);
};

// One work group, collected.
struct GroupEvidence {
  std::string cgroup;  // empty for host workers
  std::string work;    // name of the work type
  std::vector<WorkerReport> reports;
  // Placement epoch -> CPUs the group was allowed; unset: unconstrained. An
  // epoch that is missing is not judged.
  std::map<uint32_t, std::optional<std::vector<int>>> placements;
  // For how long cpu.max kept its cgroup from running, summed over CPUs.
  absl::Duration throttled;
  PagePlacement pages;
};

// Judges one group. Pure: formulas in docs/checks.md.
Verdict EvaluateGroup(const GroupEvidence& group, const Checks& checks,
                      const JudgingProfile& profile, Evaluated& evaluated);

// A finding for each threshold that is set and that no group of the scenario
// could be judged by. Empty when `checks` tolerates it.
std::vector<Finding> NotEvaluated(const Checks& checks,
                                  const Evaluated& evaluated);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_EVALUATE_H_
