// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_JUDGE_PAGES_H_
#define KTSTR_KTSTR_INTERNAL_JUDGE_PAGES_H_

#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "ktstr/checks.h"
#include "ktstr/verdict.h"
#include "ktstr/worker_report.h"

namespace ktstr::internal {

// Where the pages of a group's workers belong.
struct PagePlacement {
  // Empty: unknown, the group has neither a policy of nodes nor a cpuset.
  std::vector<int> expected_nodes;
  std::vector<int> memory_only_nodes;
};

// Which thresholds on pages could be judged.
struct PagesEvaluated {
  bool locality = false;
  bool cross_node = false;
  bool slow_tier = false;

  void Merge(const PagesEvaluated& other);
};

// What the pages of one group say: statistics of all its workers' pages, and a
// finding for each worker beyond a threshold. Formulas: docs/checks.md.
struct PagesJudged {
  std::optional<double> locality;
  std::optional<double> cross_node_migration_ratio;
  std::vector<Finding> findings;
  PagesEvaluated evaluated;
};

PagesJudged JudgePages(absl::Span<const WorkerReport> reports,
                       const PagePlacement& placement, const Checks& checks);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_JUDGE_PAGES_H_
