// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/scheduler.h"

#include <signal.h>
#include <stdio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "guestd/bpf_maps.h"
#include "guestd/loaded_program.h"
#include "guestd/map_write.h"

namespace ktstr::guestd {
namespace {

constexpr size_t kTailBytes = 2048;
constexpr size_t kMaxLineBytes = 300;
// How long a process may take to end after its scheduler has, to count as ended
// by itself.
constexpr absl::Duration kEndOfItself = absl::Seconds(1);

v1::Finding MakeFinding(v1::FindingKind kind, std::string message) {
  v1::Finding finding;
  finding.set_kind(kind);
  finding.set_message(std::move(message));
  return finding;
}

}  // namespace

Scheduler::~Scheduler() {
  if (child_) child_->Kill(SIGKILL);
  trace_.reset();
  child_.reset();
}

void Scheduler::Keep(absl::string_view output) {
  tail_.append(output.data(), output.size());
  if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  options_.on_log(output);
}

std::string Scheduler::LastLine() const {
  absl::string_view text = absl::StripAsciiWhitespace(tail_);
  size_t newline = text.rfind('\n');
  if (newline != absl::string_view::npos) text.remove_prefix(newline + 1);
  return absl::CHexEscape(text.substr(0, kMaxLineBytes));
}

v1::Finding Scheduler::DiedBeforeAttaching() const {
  std::string line = LastLine();
  return MakeFinding(
      v1::SCHEDULER_DIED,
      absl::StrCat("scheduler ", options_.name, " ended before it attached (",
                   child_->exit()->ToString(), ")",
                   line.empty() ? ", without output"
                                : absl::StrCat("; its last line: ", line)));
}

absl::optional<v1::Finding> Scheduler::Start() {
  absl::StatusOr<std::unique_ptr<SchedExt>> sched_ext =
      SchedExt::Create(options_.sched_ext, loop_);
  if (!sched_ext.ok()) {
    return MakeFinding(
        v1::SCHEDULER_NOT_ATTACHED,
        absl::StrCat("scheduler ", options_.name,
                     " cannot attach: ", sched_ext.status().message()));
  }
  sched_ext_ = *std::move(sched_ext);
  absl::StatusOr<std::unique_ptr<SchedExtDump>> dump =
      SchedExtDump::Create(options_.tracefs, loop_, options_.on_dump);
  if (dump.ok()) {
    dump_ = *std::move(dump);
  } else {
    fprintf(stderr, "guestd: no dump of sched_ext: %s\n",
            dump.status().ToString().c_str());
  }
  CommandSpec spec = {.argv = {options_.program},
                      .extra_env = options_.extra_env};
  spec.argv.insert(spec.argv.end(), options_.args.begin(), options_.args.end());
  last_program_before_ = LastProgramId();
  if (options_.wants_verifier_log) {
    trace_ = std::make_unique<BpfTrace>(loop_);
    spec.before_exec = [this](pid_t pid) { trace_->Follow(pid); };
  }
  absl::StatusOr<std::unique_ptr<Child>> child = Child::Start(
      std::move(spec), loop_,
      {.on_output = [this](absl::string_view output) { Keep(output); },
       .on_exit = [this](const ExitStatus&) { CheckForTrouble(); }});
  if (!child.ok()) {
    return MakeFinding(
        v1::SCHEDULER_DIED,
        absl::StrCat("scheduler ", options_.name,
                     " cannot be executed: ", child.status().message()));
  }
  child_ = *std::move(child);
  return absl::nullopt;
}

absl::optional<v1::Finding> Scheduler::Attach(absl::Duration timeout) {
  if (absl::optional<v1::Finding> finding = Start()) return finding;
  auto is_decided = [this] {
    is_attached_ = sched_ext_->ReadState() == SchedExtState::kEnabled;
    return is_attached_ || !child_->is_running();
  };
  loop_->RunUntil(is_decided, RealClock().Monotonic() + timeout);
  if (trace_) {
    bpf_programs_ = trace_->Report(is_attached_);
    trace_->LetGo();
  } else if (is_attached_) {
    bpf_programs_ = ProgramsSince(last_program_before_);
  }
  if (is_attached_) {
    attached_ops_ = sched_ext_->ReadOps();
    sched_ext_->OnChange([this] { CheckForTrouble(); });
    // Either may have happened between the last event and the watch.
    CheckForTrouble();
    return absl::nullopt;
  }
  if (!child_->is_running()) return DiedBeforeAttaching();
  return MakeFinding(
      v1::SCHEDULER_NOT_ATTACHED,
      absl::StrCat("the kernel did not report scheduler ", options_.name,
                   " attached within ", absl::FormatDuration(timeout)));
}

absl::Status Scheduler::Write(
    const google::protobuf::RepeatedPtrField<v1::BpfMapWrite>& writes) const {
  ABSL_ASSIGN_OR_RETURN(std::vector<BpfMap> maps,
                        MapsOfProgramsSince(last_program_before_));
  return WriteMaps(writes, maps, &StoreInKernelMap);
}

void Scheduler::OnTrouble(std::function<void()> on_trouble) {
  on_trouble_ = std::move(on_trouble);
  if (is_in_trouble_) on_trouble_();
}

void Scheduler::CheckForTrouble() {
  if (!is_attached_ || is_stopping_) return;
  // Its links go with the process, so an unloaded scheduler whose process has
  // ended as well is reported as died.
  has_died_ |= !child_->is_running();
  was_unloaded_ |=
      !has_died_ && sched_ext_->ReadState() != SchedExtState::kEnabled;
  if (is_in_trouble_ || !(has_died_ || was_unloaded_)) return;
  is_in_trouble_ = true;
  if (on_trouble_) on_trouble_();
}

bool Scheduler::Stop(absl::Duration timeout) {
  // The kernel says "disabling" long before it announces it: an unloading that
  // began during the test still counts as one.
  if (child_) CheckForTrouble();
  is_stopping_ = true;
  if (!child_) return true;
  absl::Duration start = RealClock().Monotonic();
  auto has_ended = [this] { return !child_->is_running(); };
  // A process that dies takes its scheduler along before it is seen to be dead.
  if (was_unloaded_ && !has_died_) {
    has_died_ =
        loop_->RunUntil(has_ended, start + std::min(kEndOfItself, timeout / 2));
  }
  if (child_->is_running()) {
    child_->Kill(SIGINT);
    child_->Kill(SIGCONT);  // it may have been stopped
    if (!loop_->RunUntil(has_ended, start + timeout / 2)) {
      child_->Kill(SIGKILL);
      loop_->RunUntil(has_ended, start + timeout);
    }
  }
  return sched_ext_->AwaitDisabled(start + timeout);
}

v1::SchedulerReport Scheduler::report() const {
  v1::SchedulerReport report;
  report.set_attached_ops(attached_ops_);
  report.set_died(has_died_);
  report.set_detached_early(was_unloaded_);
  if (child_ && child_->exit()) {
    report.set_exit_code(child_->exit()->code);
    report.set_exit_signal(child_->exit()->signal);
  }
  if (!sched_ext_) return report;
  absl::optional<v1::SchedulerExit> exit = sched_ext_->ReadExit();
  // The dump was made before.
  if (dump_) dump_->Drain();
  if (exit && exit->kind() == v1::EXIT_ERROR_STALL &&
      !exit->has_stalled_task() && dump_ && dump_->longest_waiting()) {
    *exit->mutable_stalled_task() = *dump_->longest_waiting();
  }
  // One that never attached may still have been refused with a reason.
  if (exit && (is_attached_ || exit->kind() != v1::EXIT_DONE)) {
    *report.mutable_exit() = *std::move(exit);
  }
  return report;
}

}  // namespace ktstr::guestd
