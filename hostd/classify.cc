// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/classify.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "hostd/text.h"

namespace ktstr::hostd {
namespace {

using ktstr::v1::Finding;
using ktstr::v1::FindingKind;
using ktstr::v1::Outcome;

Classification Judge(Outcome outcome, FindingKind kind, std::string reason) {
  Classification result = {.outcome = outcome, .reason = reason};
  Finding& finding = result.findings.emplace_back();
  finding.set_kind(kind);
  finding.set_message(std::move(reason));
  return result;
}

Classification Miss(std::string reason) {
  return Judge(ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, std::move(reason));
}

Classification Skip(std::string reason) {
  return {.outcome = Outcome::SKIP, .reason = std::move(reason)};
}

// "the guest ..." in time: what the attempt was doing.
std::string When(const Evidence& e) {
  if (e.Reached(ktstr::v1::DETACHED)) return "after the scheduler detached";
  if (e.Reached(ktstr::v1::SCHEDULER_ATTACHED)) {
    return absl::StrCat("while scheduler ", e.scheduler_name, " was attached");
  }
  if (e.Reached(ktstr::v1::WORKLOAD_ENDED)) return "after the workload";
  if (e.Reached(ktstr::v1::WORKLOAD_STARTED)) return "during the workload";
  if (e.is_test_requested && e.has_scheduler) {
    return absl::StrCat("while scheduler ", e.scheduler_name, " was starting");
  }
  if (e.Reached(ktstr::v1::HELLO)) return "before the workload";
  if (e.Reached(ktstr::v1::INIT)) return "in init";
  return "during boot";
}

// "; the console's last line was ..." or that there was none.
std::string LastWords(const Evidence& e) {
  if (e.console.bytes == 0) return "; its console stayed empty";
  if (!e.console.unpacking.empty()) return "; " + e.console.unpacking;
  return absl::StrCat("; last console line: ", e.console.last_line);
}

bool IsUnderTest(const Evidence& e) {
  return e.Reached(ktstr::v1::SCHEDULER_ATTACHED) ||
         e.Reached(ktstr::v1::WORKLOAD_STARTED);
}

std::optional<Classification> JudgePanic(const Evidence& e) {
  if (e.console.panic_kind == PanicKind::kNone) return std::nullopt;
  std::string what = absl::StrCat(When(e), ": ", e.console.panic);
  switch (e.console.panic_kind) {
    case PanicKind::kNoInit:
      return Miss(absl::StrCat("the guest kernel could not start init ", what));
    case PanicKind::kInitDied:
      return Miss(absl::StrCat("guestd ended ", what));
    case PanicKind::kOutOfMemory:
      if (e.Reached(ktstr::v1::HELLO)) break;
      return Miss(absl::StrCat("the guest ran out of memory ", what,
                               "; raise the test's memory"));
    default:
      break;
  }
  return Judge(ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC,
               absl::StrCat("the kernel panicked ", what));
}

std::optional<Classification> JudgeOops(const Evidence& e) {
  if (e.console.oops.empty() || !e.Reached(ktstr::v1::HELLO)) {
    return std::nullopt;
  }
  return Judge(
      ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC,
      absl::StrCat("the kernel faulted ", When(e), ": ", e.console.oops));
}

// vmm ended in a way that says nothing about the guest.
std::optional<Classification> JudgeVmm(const Evidence& e) {
  std::string detail = e.machine_end_detail.empty()
                           ? std::string()
                           : absl::StrCat(": ", e.machine_end_detail);
  switch (e.machine_end) {
    case MachineEnd::kEntryFailure:
    case MachineEnd::kInternalError:
    case MachineEnd::kSetupFailure:
      return Miss(absl::StrCat("vmm ended with ", MachineEndName(e.machine_end),
                               " ", When(e), detail));
    case MachineEnd::kUnmetPrecondition:
      return Skip(PrintableText(e.machine_end_detail, 512));
    case MachineEnd::kUnspecified:
      break;
    default:
      return std::nullopt;
  }
  if (e.is_vmm_stopped || !e.vmm_exit) return std::nullopt;
  std::string said =
      e.vmm_stderr.empty() ? "" : absl::StrCat("; it said: ", e.vmm_stderr);
  return Miss(absl::StrCat("vmm ended ", When(e), " without a typed end (",
                           e.vmm_exit->ToString(), ")", said));
}

// What the kernel said about the end of the scheduler; empty when nothing.
std::string KernelOnScheduler(const Evidence& e) {
  if (!e.scheduler || !e.scheduler->has_exit()) return e.console.sched_ext;
  const ktstr::v1::SchedulerExit& exit = e.scheduler->exit();
  std::string message = PrintableText(exit.message(), 512);
  return absl::StrCat(PrintableText(exit.reason(), 128),
                      message.empty() ? "" : absl::StrCat(" (", message, ")"));
}

// The same after a sentence.
std::string KernelAddsOnScheduler(const Evidence& e) {
  std::string kernel = KernelOnScheduler(e);
  return kernel.empty() ? "" : absl::StrCat("; kernel: ", kernel);
}

Classification JudgeStall(const Evidence& e) {
  const ktstr::v1::SchedulerExit& exit = e.scheduler->exit();
  const ktstr::v1::StalledTask& task = exit.stalled_task();
  std::string what =
      exit.has_stalled_task()
          ? absl::StrCat(
                PrintableText(task.comm(), 64), "[", task.pid(),
                "] did not run for ",
                absl::ToDoubleSeconds(FromProtoDuration(task.waited())), " s")
          : PrintableText(exit.message(), 512);
  return Judge(
      ktstr::v1::FAIL, ktstr::v1::SCHEDULER_STALLED,
      absl::StrCat("scheduler ", e.scheduler_name, " stalled: ", what));
}

Classification JudgeEjection(const Evidence& e, absl::string_view when) {
  std::string kernel = KernelOnScheduler(e);
  return Judge(
      ktstr::v1::FAIL, ktstr::v1::SCHEDULER_EJECTED,
      absl::StrCat("the kernel ended scheduler ", e.scheduler_name, " ", when,
                   ": ", kernel.empty() ? "it did not say why" : kernel));
}

// A scheduler that was attached.
std::optional<Classification> JudgeSchedulerEnd(const Evidence& e) {
  const ktstr::v1::SchedulerReport& report = *e.scheduler;
  constexpr absl::string_view kEarly = "before the test was over";
  const bool is_early = report.died() || report.detached_early();
  const absl::string_view when = is_early ? kEarly : "when it was detached";
  switch (report.exit().kind()) {
    case ktstr::v1::EXIT_ERROR_STALL:
      return JudgeStall(e);
    case ktstr::v1::EXIT_ERROR:
    case ktstr::v1::EXIT_ERROR_BPF:
    case ktstr::v1::EXIT_UNREGISTERED_BY_KERNEL:
    case ktstr::v1::EXIT_SYSRQ:
      return JudgeEjection(e, when);
    case ktstr::v1::EXIT_UNKNOWN:
      // Another kernel may have other words for an ordinary end.
      if (is_early) return JudgeEjection(e, when);
      break;
    default:
      break;
  }
  if (report.died()) {
    ExitStatus exit = {.code = report.exit_code(),
                       .signal = report.exit_signal()};
    return Judge(
        ktstr::v1::FAIL, ktstr::v1::SCHEDULER_DIED,
        absl::StrCat("scheduler ", e.scheduler_name, " ended ", kEarly, " (",
                     exit.ToString(), ")", KernelAddsOnScheduler(e)));
  }
  if (!report.detached_early()) return std::nullopt;
  if (report.exit().kind() == ktstr::v1::EXIT_UNREGISTERED_BY_USER ||
      report.exit().kind() == ktstr::v1::EXIT_UNREGISTERED_BY_BPF) {
    return Judge(ktstr::v1::FAIL, ktstr::v1::SCHEDULER_DIED,
                 absl::StrCat("scheduler ", e.scheduler_name, " detached ",
                              kEarly, KernelAddsOnScheduler(e)));
  }
  return JudgeEjection(e, kEarly);
}

std::optional<Classification> JudgeScheduler(const Evidence& e) {
  if (e.failure && (e.failure->kind() == ktstr::v1::SCHEDULER_DIED ||
                    e.failure->kind() == ktstr::v1::SCHEDULER_NOT_ATTACHED)) {
    return Judge(ktstr::v1::FAIL, e.failure->kind(),
                 absl::StrCat(PrintableText(e.failure->message(), 512),
                              KernelAddsOnScheduler(e)));
  }
  if (!e.scheduler) return std::nullopt;
  return JudgeSchedulerEnd(e);
}

Classification JudgeBootDeadline(const Evidence& e) {
  std::string refused = e.refused_hello.empty()
                            ? ""
                            : absl::StrCat("; refused: ", e.refused_hello);
  return Miss(absl::StrCat("no valid hello from the guest in ",
                           absl::FormatDuration(e.allowed), refused,
                           LastWords(e)));
}

Classification JudgeDeadline(const Evidence& e) {
  if (!e.Reached(ktstr::v1::HELLO)) return JudgeBootDeadline(e);
  std::string what =
      e.deadline == Deadline::kSilence
          ? absl::StrCat("the guest fell silent for ",
                         absl::FormatDuration(e.allowed), " ", When(e))
          : absl::StrCat("the guest did not go on within ",
                         absl::FormatDuration(e.allowed), " ", When(e));
  if (!e.console.lockup.empty()) {
    return Judge(ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG,
                 absl::StrCat(what, "; kernel: ", e.console.lockup));
  }
  if (e.has_scheduler && e.is_test_requested) {
    return Judge(ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG,
                 absl::StrCat(what, KernelAddsOnScheduler(e)));
  }
  return Miss(absl::StrCat(what, LastWords(e)));
}

Classification JudgeEarlyEnd(const Evidence& e) {
  bool is_crash = e.machine_end == MachineEnd::kTripleFault ||
                  e.machine_end == MachineEnd::kReset;
  std::string what =
      absl::StrCat("the guest ended (", MachineEndName(e.machine_end), ") ",
                   When(e), LastWords(e));
  if (is_crash && IsUnderTest(e)) {
    return Judge(ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, what);
  }
  if (e.machine_end == MachineEnd::kUnspecified && !e.session.ok()) {
    return Miss(absl::StrCat("the session with guestd was lost ", When(e), ": ",
                             PrintableText(e.session.message())));
  }
  if (e.machine_end == MachineEnd::kStopped && !e.session.ok()) {
    return Miss(absl::StrCat("the session with guestd was lost ", When(e), ": ",
                             PrintableText(e.session.message()), LastWords(e)));
  }
  return Miss(what);
}

std::string DescribeExit(const ktstr::v1::TestExit& exit) {
  return ExitStatus{.code = exit.exit_code(), .signal = exit.exit_signal()}
      .ToString();
}

std::optional<Classification> JudgeTestExit(const Evidence& e) {
  if (e.test_exit && e.test_exit->timed_out()) {
    constexpr absl::string_view kText = "the test did not end in its time";
    if (e.Reached(ktstr::v1::SCHEDULER_ATTACHED)) {
      return Judge(ktstr::v1::FAIL, ktstr::v1::STUCK,
                   absl::StrCat(kText, " while scheduler ", e.scheduler_name,
                                " was attached"));
    }
    return Judge(ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED,
                 absl::StrCat(kText, " under the kernel's default scheduler"));
  }
  if (!e.verdict) {
    if (!e.test_exit) {
      return Miss(
          "the guest finished without a verdict and without the "
          "test's exit status");
    }
    return Judge(ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED,
                 absl::StrCat("the test binary ended without a verdict (",
                              DescribeExit(*e.test_exit), ")"));
  }
  // A failed verdict may come with a non-zero exit code; a passed one may not.
  bool is_bad_exit =
      e.test_exit && (e.test_exit->exit_signal() != 0 ||
                      (e.verdict->passed() && e.test_exit->exit_code() != 0));
  if (is_bad_exit) {
    return Judge(ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED,
                 absl::StrCat("the test binary ended badly after its verdict (",
                              DescribeExit(*e.test_exit), ")"));
  }
  return std::nullopt;
}

Classification JudgeVerdict(const ktstr::v1::Verdict& verdict) {
  Classification result;
  result.findings.assign(verdict.findings().begin(), verdict.findings().end());
  const Finding* body_error = nullptr;
  for (const Finding& finding : result.findings) {
    if (finding.kind() == ktstr::v1::TEST_BODY_ERROR) body_error = &finding;
  }
  if (body_error != nullptr) {
    result.outcome = ktstr::v1::ERROR;
    result.reason = PrintableText(body_error->message(), 512);
  } else if (verdict.skipped()) {
    result.outcome = ktstr::v1::SKIP;
    result.reason = verdict.skip_reason().empty()
                        ? "the test declined without giving a reason"
                        : PrintableText(verdict.skip_reason(), 512);
  } else if (!verdict.passed()) {
    result.outcome = ktstr::v1::FAIL;
    result.reason = result.findings.empty()
                        ? "the test failed without a finding"
                        : PrintableText(result.findings[0].message(), 512);
  } else {
    result.outcome = ktstr::v1::PASS;
  }
  return result;
}

Classification JudgeFinished(const Evidence& e) {
  if (auto judged = JudgeScheduler(e)) return *judged;
  if (auto judged = JudgeOops(e)) return *judged;
  if (e.failure) {
    Outcome outcome = e.failure->kind() == ktstr::v1::INFRASTRUCTURE
                          ? ktstr::v1::MISS
                          : ktstr::v1::ERROR;
    // It may name several things that are wrong.
    return Judge(outcome, e.failure->kind(),
                 PrintableText(e.failure->message(), 2048));
  }
  if (auto judged = JudgeTestExit(e)) return *judged;
  return JudgeVerdict(*e.verdict);
}

Classification JudgeUnfinished(const Evidence& e) {
  if (e.stop == StopReason::kDraining) {
    return Miss(absl::StrCat("hostd went away ", When(e)));
  }
  if (auto judged = JudgeVmm(e)) return *judged;
  if (!e.init_error.empty()) {
    return Miss(
        absl::StrCat("the guest could not be prepared: ", e.init_error));
  }
  if (auto judged = JudgeScheduler(e)) return *judged;
  if (auto judged = JudgeOops(e)) return *judged;
  bool is_late =
      e.deadline != Deadline::kNone || e.machine_end == MachineEnd::kDeadline;
  return is_late ? JudgeDeadline(e) : JudgeEarlyEnd(e);
}

// Adds what the verdict had already found to a judgement made without it.
void KeepFindings(const Evidence& e, Classification* result) {
  bool is_own = result->outcome == ktstr::v1::PASS ||
                result->outcome == ktstr::v1::MISS ||
                result->outcome == ktstr::v1::CANCELLED || !e.verdict;
  if (is_own) return;
  for (const Finding& finding : e.verdict->findings()) {
    bool is_known = false;
    for (const Finding& known : result->findings) {
      is_known |= known.kind() == finding.kind() &&
                  known.message() == finding.message();
    }
    if (!is_known) result->findings.push_back(finding);
  }
}

}  // namespace

Classification Classify(const Evidence& e) {
  if (e.stop == StopReason::kRevoked) {
    return {.outcome = ktstr::v1::CANCELLED,
            .reason = "the coordinator revoked the attempt"};
  }
  if (!e.preparation.ok()) {
    return Miss(PrintableText(e.preparation.message(), 512));
  }
  if (!e.unmet_precondition.empty()) return Skip(e.unmet_precondition);
  Classification result;
  if (auto judged = JudgePanic(e)) {
    result = *judged;
  } else if (e.is_finished) {
    result = JudgeFinished(e);
  } else {
    result = JudgeUnfinished(e);
  }
  KeepFindings(e, &result);
  return result;
}

}  // namespace ktstr::hostd
