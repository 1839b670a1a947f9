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
    if (op.kind == Op::Kind::kRunPayload || op.kind == Op::Kind::kWaitPayload ||
        op.kind == Op::Kind::kKillPayload) {
      return absl::UnimplementedError(
          absl::StrCat(op.ToString(), ": external payloads are not available"));
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
              const std::vector<Step>& steps, const Checks& checks)
      : context_(context),
        backdrop_(backdrop),
        steps_(steps),
        checks_(checks),
        stage_(context, checks),
        start_(RealClock().Monotonic()) {}

  Verdict Run() {
    bool goes_on = SetUpBackdrop();
    if (goes_on) {
      for (size_t i = 0; i < steps_.size() && goes_on; ++i) goes_on = Play(i);
      if (goes_on && !stage_.watch().IsAlive()) {
        NoteDeath(absl::StrCat("after all ", steps_.size(), " steps"));
      }
    }
    stage_.Collect(Owner::kBackdrop);
    stage_.RestoreCpus();
    if (goes_on) {
      for (Finding& finding : NotEvaluated(checks_, stage_.evaluated())) {
        stage_.verdict().Add(std::move(finding));
      }
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
    absl::StatusOr<bool> alive = step.hold_time().kind() == Hold::Kind::kLoop
                                     ? PlayLoop(step, index)
                                     : PlayOnce(step, index);
    stage_.Collect(Owner::kStep);
    if (!alive.ok()) {
      stage_.verdict().Add(
          FindingFor(alive.status(),
                     absl::StrCat("step ", index + 1, " of ", steps_.size())));
      return false;
    }
    if (*alive) return true;
    NoteDeath(absl::StrCat("during step ", index + 1, " of ", steps_.size()));
    return false;
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
    bool is_first = true;
    for (absl::Duration left = deadline - RealClock().Monotonic();
         left > absl::ZeroDuration() && (is_first || left >= pass);
         left = deadline - RealClock().Monotonic()) {
      is_first = false;
      ABSL_RETURN_IF_ERROR(ApplyOps(step));
      Record(step, index);
      if (!stage_.watch().SleepUntil(RealClock().Monotonic() + pass))
        return false;
    }
    return stage_.watch().SleepUntil(deadline);
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
        .label = step.label_text()};
    for (const Op& op : step.ops()) {
      record.op_kinds |= uint32_t{1} << static_cast<int>(op.kind);
    }
    context_.parts().on_stimulus(record);
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
  Stage stage_;
  const absl::Duration start_;
};

}  // namespace

absl::StatusOr<Verdict> run(const Context& ctx, Backdrop backdrop,
                            std::vector<Step> steps,
                            const std::optional<Checks>& checks) {
  ABSL_RETURN_IF_ERROR(CheckOps(backdrop.ops(), ctx));
  for (size_t i = 0; i < steps.size(); ++i) {
    ABSL_RETURN_IF_ERROR(CheckHold(steps[i].hold_time(), i + 1));
    ABSL_RETURN_IF_ERROR(CheckOps(steps[i].ops(), ctx));
  }
  return Performance(ctx, backdrop, steps, checks.value_or(ctx.checks())).Run();
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
