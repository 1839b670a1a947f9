// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_PHASES_H_
#define KTSTR_KTSTR_INTERNAL_PHASES_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ktstr/checks.h"
#include "ktstr/internal/evaluate.h"
#include "ktstr/internal/worker_sample.h"
#include "ktstr/relative.h"
#include "ktstr/verdict.h"

namespace ktstr::internal {

// One work group during one phase.
struct PhaseShare {
  std::string cgroup;
  // That it was there and not frozen, of all threads of a worker together.
  double seconds = 0;
  std::vector<WorkerSample> workers;
};

// The phases of a scenario by the labels of their steps.
class Phases {
 public:
  void Add(const std::string& label, PhaseShare share) {
    shares_[label].push_back(std::move(share));
  }

  // Unset when the phase did not happen or nothing was measured in it.
  std::optional<double> Value(const std::string& label, Metric metric,
                              const std::optional<std::string>& cgroup) const;

  // A finding when `relative` is broken, or not to be judged.
  std::optional<Finding> Judge(const Relative& relative) const;

 private:
  std::map<std::string, std::vector<PhaseShare>> shares_;
};

// Judges workers that outlive the phase by what can be said of a phase: floors
// of rates, variation of work rates, the 99th percentile. Other thresholds of
// `checks` are ignored. Findings begin with `where`.
std::vector<Finding> JudgeShare(const PhaseShare& share, const Checks& checks,
                                const JudgingProfile& profile,
                                const std::string& where, Evaluated& evaluated);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_PHASES_H_
