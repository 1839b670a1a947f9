// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a Stage measures of a phase.
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "ktstr/internal/stage.h"

namespace ktstr::internal {

void Stage::MarkPhase(Group& group, bool is_new) {
  group.mark = {};
  if (!is_new) group.mark.samples = group.workers->Sample();
  group.mark.at = RealClock().Monotonic();
  group.mark.frozen = group.workers->frozen();
}

PhaseShare Stage::ShareOf(const Group& group) const {
  const absl::Duration frozen = group.workers->frozen() - group.mark.frozen;
  const absl::Duration there = RealClock().Monotonic() - group.mark.at - frozen;
  PhaseShare share{
      .cgroup = group.cgroup,
      .seconds = group.workers->spec().threads *
                 absl::ToDoubleSeconds(std::max(there, absl::ZeroDuration())),
      .workers = group.workers->Sample()};
  for (size_t i = 0; i < share.workers.size(); ++i) {
    if (i >= group.mark.samples.size()) break;
    share.workers[i] = share.workers[i].Since(group.mark.samples[i]);
  }
  return share;
}

void Stage::BeginStep(const Step& step, const std::string& where) {
  label_ = step.label_text();
  where_ = where;
  step_checks_ = step.step_checks();
  step_evaluated_ = {};
  ended_.clear();
}

void Stage::BeginPhase() {
  is_in_phase_ = samples_phases_;
  if (!is_in_phase_) return;
  for (Group& group : groups_) MarkPhase(group, /*is_new=*/false);
}

void Stage::EndPhase() {
  if (!is_in_phase_) return;
  is_in_phase_ = false;
  for (PhaseShare& share : ended_) {
    phases_.Add(label_, std::move(share));
  }
  for (const Group& group : groups_) {
    PhaseShare share = ShareOf(group);
    if (step_checks_ && group.owner == Owner::kBackdrop) {
      for (Finding& finding :
           JudgeShare(share, *step_checks_, context_.profile(), where_,
                      step_evaluated_)) {
        verdict_.Add(std::move(finding));
      }
    }
    phases_.Add(label_, std::move(share));
  }
}

void Stage::EndStep() {
  if (!step_checks_) return;
  Checks checks = *step_checks_;
  if (!checks.tolerate_not_evaluated) {
    checks.tolerate_not_evaluated = checks_.tolerate_not_evaluated;
  }
  for (Finding& finding : NotEvaluated(checks, step_evaluated_)) {
    finding.message = absl::StrCat(where_, ": ", finding.message);
    verdict_.Add(std::move(finding));
  }
  evaluated_.Merge(step_evaluated_);
  step_checks_.reset();
}

}  // namespace ktstr::internal
