// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_PAYLOAD_LOG_H_
#define KTSTR_KTSTR_INTERNAL_PAYLOAD_LOG_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "ktstr/internal/payload_plan.h"
#include "ktstr/measurement.h"
#include "ktstr/payload_result.h"
#include "ktstr/verdict.h"

namespace ktstr::internal {

// What the payloads of an attempt measured, and what the checks of those found
// that bodies ran, until the verdict takes it.
//
// Shape: a metric becomes "PAYLOAD.METRIC", "CGROUP/PAYLOAD.METRIC" where a
//        cgroup was named, and "PAYLOAD-2.METRIC" in the second run that would
//        be called the same; other characters than Recorder takes are '_'. At
//        most kMaxOfRun of a run and kMax in all: those with a hint first, then
//        those of checks, then others in the order of the output.
class PayloadLog {
 public:
  static constexpr size_t kMaxOfRun = 64;
  static constexpr size_t kMax = 128;

  // Warns on standard error about metrics that are left out.
  void AddMetrics(const PayloadPlan& plan, const PayloadResult& result);
  void AddFindings(const std::vector<Finding>& findings);

  // Moves everything into `verdict`, which fails with findings.
  void AddTo(Verdict& verdict);

 private:
  std::map<std::string, int> runs_;  // by what they are called
  std::set<std::string> names_;
  std::vector<Measurement> measurements_;
  std::vector<Finding> findings_;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_PAYLOAD_LOG_H_
