// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/scenario.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "ktstr/internal/stage.h"

namespace ktstr {
namespace {

// Of one step; who records them has limits, too.
constexpr int kMaxRecordedPasses = 1000;

using internal::Stage;
using Owner = internal::Stage::Owner;

absl::Status CheckHold(const Hold& hold, size_t step) {
  switch (hold.kind()) {
    case Hold::Kind::kFrac:
      if (std::isfinite(hold.fraction()) && hold.fraction() > 0) break;
      return absl::InvalidArgumentError(
          absl::StrCat("step ", step, ": a hold of ", hold.fraction(),
                       " of the duration is not positive and finite"));
    case Hold::Kind::kFixed:
    case Hold::Kind::kLoop:
      if (hold.time().count() > 0) break;
      return absl::InvalidArgumentError(
          absl::StrCat("step ", step, ": a hold of ", hold.time().count(),
                       " ns is not positive"));
  }
  return absl::OkStatus();
}

absl::Status CheckOps(const std::vector<Op>& ops, const Context& context) {
  for (const Op& op : ops) {
    ABSL_RETURN_IF_ERROR(internal::CheckMachineOp(op, context));
    ABSL_RETURN_IF_ERROR(internal::CheckPayloadOp(op));
  }
  return absl::OkStatus();
}

absl::Status CheckPayloads(const std::vector<Cgroup>& cgroups) {
  for (const Cgroup& cgroup : cgroups) {
    for (const Cgroup::Payload& payload : cgroup.payloads()) {
      ABSL_RETURN_IF_ERROR(internal::CheckPayloadOp(
          Op::run_payload(*payload.def, payload.args, cgroup.name())));
    }
  }
  return absl::OkStatus();
}

// A mistake in the test is told apart from trouble with the machine.
Finding FindingFor(const absl::Status& status, const std::string& where) {
  bool is_mistake = absl::IsInvalidArgument(status) ||
                    absl::IsFailedPrecondition(status) ||
                    absl::IsNotFound(status) || absl::IsAlreadyExists(status) ||
                    absl::IsUnimplemented(status);
  return {.kind = is_mistake                ? FindingKind::kTestBodyError
                  : absl::IsAborted(status) ? FindingKind::kSchedulerDied
                                            : FindingKind::kOther,
          .message = absl::StrCat(where, ": ", status.message())};
}

// One scenario from validated input to verdict.
class Performance {
 public:
  Performance(const Context& context, const Backdrop& backdrop,
              const std::vector<Step>& steps, const Checks& checks,
              const std::vector<Relative>& relatives)
      : context_(context),
        backdrop_(backdrop),
        steps_(steps),
        checks_(checks),
        relatives_(relatives),
        stage_(context, checks),
        start_(RealClock().Monotonic()) {
    bool has_step_checks = false;
    for (const Step& step : steps_) {
      has_step_checks |= step.step_checks().has_value();
    }
    stage_.set_samples_phases(has_step_checks || !relatives_.empty());
  }

  Verdict Run() {
    bool goes_on = SetUpBackdrop();
    if (goes_on) {
      for (size_t i = 0; i < steps_.size() && goes_on; ++i) goes_on = Play(i);
      if (goes_on && !stage_.watch().IsAlive()) {
        NoteDeath(absl::StrCat("after all ", steps_.size(), " steps"));
      }
    }
    if (goes_on) RecordEnd();
    stage_.Collect(Owner::kBackdrop);
    stage_.RestoreCpus();
    if (goes_on) {
      for (Finding& finding : NotEvaluated(checks_, stage_.evaluated())) {
        stage_.verdict().Add(std::move(finding));
      }
      ComparePhases();
    }
    return std::move(stage_.verdict());
  }

 private:
  bool SetUpBackdrop() {
    absl::Status status;
    for (const Cgroup& cgroup : backdrop_.cgroups()) {
      if (status.ok()) status = stage_.Make(cgroup, Owner::kBackdrop);
    }
    for (const Op& op : backdrop_.ops()) {
      if (status.ok()) status = stage_.Apply(op, Owner::kBackdrop);
    }
    if (status.ok()) return true;
    stage_.verdict().Add(FindingFor(status, "Backdrop setup"));
    return false;
  }

  // One step with its teardown; false ends the scenario.
  bool Play(size_t index) {
    const Step& step = steps_[index];
    const std::string where =
        absl::StrCat("step ", index + 1, " of ", steps_.size());
    stage_.BeginStep(step, where);
    absl::StatusOr<bool> alive = step.hold_time().kind() == Hold::Kind::kLoop
                                     ? PlayLoop(step, index)
                                     : PlayOnce(step, index);
    stage_.EndPhase();
    ended_iterations_ = stage_.TotalIterations();
    stage_.Collect(Owner::kStep);
    if (!alive.ok()) {
      stage_.verdict().Add(FindingFor(alive.status(), where));
      return false;
    }
    if (!*alive) {
      NoteDeath(absl::StrCat("during ", where));
      return false;
    }
    stage_.EndStep();
    return true;
  }

  absl::Status ApplyOps(const Step& step) {
    for (const Op& op : step.ops()) {
      ABSL_RETURN_IF_ERROR(stage_.Apply(op, Owner::kStep));
    }
    return absl::OkStatus();
  }

  absl::Status SetUp(const Step& step) {
    std::vector<Cgroup> cgroups = step.cgroups();
    if (step.setup_function()) {
      for (Cgroup& cgroup : step.setup_function()(context_)) {
        cgroups.push_back(std::move(cgroup));
      }
    }
    for (const Cgroup& cgroup : cgroups) {
      ABSL_RETURN_IF_ERROR(stage_.Make(cgroup, Owner::kStep));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> PlayOnce(const Step& step, size_t index) {
    ABSL_RETURN_IF_ERROR(ApplyOps(step));
    ABSL_RETURN_IF_ERROR(SetUp(step));
    stage_.BeginPhase();
    Record(step, index);
    const Hold& hold = step.hold_time();
    absl::Duration time =
        hold.kind() == Hold::Kind::kFrac
            ? absl::FromChrono(context_.duration()) * hold.fraction()
            : absl::FromChrono(hold.time());
    return stage_.watch().SleepUntil(RealClock().Monotonic() + time);
  }

  absl::StatusOr<bool> PlayLoop(const Step& step, size_t index) {
    ABSL_RETURN_IF_ERROR(SetUp(step));
    const absl::Duration duration = absl::FromChrono(context_.duration());
    const absl::Duration deadline = start_ + duration;
    // Every pass has its whole time, however long its ops take: what they
    // create is judged.
    const absl::Duration pass =
        std::min(absl::FromChrono(step.hold_time().time()), duration);
    stage_.BeginPhase();
    int passes = 0;
    for (absl::Duration left = deadline - RealClock().Monotonic();
         left > absl::ZeroDuration() && (passes == 0 || left >= pass);
         left = deadline - RealClock().Monotonic()) {
      ABSL_RETURN_IF_ERROR(ApplyOps(step));
      if (passes++ < kMaxRecordedPasses) Record(step, index);
      if (!stage_.watch().SleepUntil(RealClock().Monotonic() + pass))
        return false;
    }
    return stage_.watch().SleepUntil(deadline);
  }

  void RecordEnd() {
    if (!context_.parts().on_stimulus) return;
    context_.parts().on_stimulus(
        {.elapsed = absl::ToChronoNanoseconds(RealClock().Monotonic() - start_),
         .step = static_cast<int>(steps_.size()),
         .cgroups = stage_.num_cgroups(),
         .workers = stage_.num_workers(),
         .total_iterations = stage_.TotalIterations(),
         .ended_iterations = ended_iterations_,
         .is_end = true});
  }

  void Record(const Step& step, size_t index) {
    if (!context_.parts().on_stimulus) return;
    StimulusRecord record{
        .elapsed = absl::ToChronoNanoseconds(RealClock().Monotonic() - start_),
        .step = static_cast<int>(index),
        .ops = static_cast<int>(step.ops().size()),
        .cgroups = stage_.num_cgroups(),
        .workers = stage_.num_workers(),
        .total_iterations = stage_.TotalIterations(),
        .ended_iterations = ended_iterations_,
        .label = step.label_text()};
    for (const Op& op : step.ops()) {
      record.op_kinds |= uint32_t{1} << static_cast<int>(op.kind);
    }
    // What a pass of a loop follows is the pass before it.
    ended_iterations_ = record.total_iterations;
    context_.parts().on_stimulus(record);
  }

  void ComparePhases() {
    for (const Relative& relative : relatives_) {
      std::optional<Finding> finding = stage_.phases().Judge(relative);
      if (!finding) continue;
      if (finding->kind == FindingKind::kNotEvaluated &&
          checks_.tolerate_not_evaluated.value_or(false)) {
        continue;
      }
      stage_.verdict().Add(*std::move(finding));
    }
  }

  void NoteDeath(const std::string& where) {
    double elapsed = absl::ToDoubleSeconds(RealClock().Monotonic() - start_);
    stage_.verdict().Add(
        {.kind = FindingKind::kSchedulerDied,
         .message = absl::StrFormat(
             "scheduler process died, noticed %s, %.1f s after the start",
             where, elapsed)});
  }

  const Context& context_;
  const Backdrop& backdrop_;
  const std::vector<Step>& steps_;
  const Checks checks_;
  const std::vector<Relative>& relatives_;
  Stage stage_;
  const absl::Duration start_;
  // Of the workers of the phase before, at its end.
  int64_t ended_iterations_ = 0;
};

}  // namespace

absl::StatusOr<Verdict> run(const Context& ctx, Backdrop backdrop,
                            std::vector<Step> steps,
                            const std::optional<Checks>& checks,
                            const std::vector<Relative>& relatives) {
  for (const Relative& relative : relatives) {
    ABSL_RETURN_IF_ERROR(relative.Validate());
  }
  ABSL_RETURN_IF_ERROR(CheckPayloads(backdrop.cgroups()));
  ABSL_RETURN_IF_ERROR(CheckOps(backdrop.ops(), ctx));
  for (size_t i = 0; i < steps.size(); ++i) {
    ABSL_RETURN_IF_ERROR(CheckHold(steps[i].hold_time(), i + 1));
    ABSL_RETURN_IF_ERROR(CheckPayloads(steps[i].cgroups()));
    ABSL_RETURN_IF_ERROR(CheckOps(steps[i].ops(), ctx));
  }
  return Performance(ctx, backdrop, steps, checks.value_or(ctx.checks()),
                     relatives)
      .Run();
}

absl::StatusOr<Verdict> run_steps(const Context& ctx, std::vector<Step> steps,
                                  const std::optional<Checks>& checks) {
  return run(ctx, Backdrop{}, std::move(steps), checks);
}

absl::StatusOr<Verdict> run_cgroups(const Context& ctx,
                                    std::vector<Cgroup> cgroups,
                                    const std::optional<Checks>& checks) {
  Step step;
  for (Cgroup& cgroup : cgroups) step.cgroup(std::move(cgroup));
  return run_steps(ctx, {std::move(step)}, checks);
}

}  // namespace ktstr
