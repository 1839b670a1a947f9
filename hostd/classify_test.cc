// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/classify.h"

#include <functional>
#include <initializer_list>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ktstr::v1::Phase;
using ::testing::HasSubstr;

void Reach(Evidence* e, Phase last) {
  for (int phase = ktstr::v1::VMM_UP; phase <= last; ++phase) {
    bool needs_scheduler =
        phase == ktstr::v1::SCHEDULER_ATTACHED || phase == ktstr::v1::DETACHED;
    if (needs_scheduler && !e->has_scheduler) continue;
    e->phases.set(static_cast<size_t>(phase));
  }
  e->is_test_requested = last >= ktstr::v1::HELLO;
  if (last >= ktstr::v1::KERNEL_ENTERED) {
    e->console.bytes = 100;
    e->console.last_line = "last words";
  }
}

void UseScheduler(Evidence* e) {
  e->has_scheduler = true;
  e->scheduler_name = "scx_test";
}

// As guestd reports it while the test runs.
void EndByKernel(Evidence* e, ktstr::v1::SchedulerExitKind kind,
                 const char* reason, const char* message) {
  e->scheduler.emplace().set_detached_early(true);
  e->scheduler->mutable_exit()->set_kind(kind);
  e->scheduler->mutable_exit()->set_reason(reason);
  e->scheduler->mutable_exit()->set_message(message);
}

void Finish(Evidence* e) {
  Reach(e, ktstr::v1::SHUT_DOWN);
  e->is_finished = true;
  e->test_exit.emplace();
  e->machine_end = MachineEnd::kPowerOff;
  e->vmm_exit.emplace();
}

void GiveVerdict(Evidence* e, bool is_passed) {
  Finish(e);
  e->verdict.emplace().set_passed(is_passed);
}

void AddFinding(Evidence* e, ktstr::v1::FindingKind kind) {
  auto* finding = e->verdict->add_findings();
  finding->set_kind(kind);
  finding->set_message("measured 7, limit 5");
}

void SetPanic(Evidence* e, PanicKind kind) {
  e->console.panic = "Kernel panic - not syncing: words";
  e->console.panic_kind = kind;
  e->machine_end = MachineEnd::kReset;
}

void Stop(Evidence* e, Deadline deadline) {
  e->deadline = deadline;
  e->allowed = absl::Seconds(9);
  e->is_vmm_stopped = true;
  e->machine_end = MachineEnd::kStopped;
}

struct Row {
  const char* name;
  std::function<void(Evidence*)> evidence;
  ktstr::v1::Outcome outcome;
  // OUTCOME's first finding; UNSPECIFIED: none expected.
  ktstr::v1::FindingKind kind;
  const char* reason;  // substring
};

constexpr auto kNoFinding = ktstr::v1::FINDING_KIND_UNSPECIFIED;

const Row kRows[] = {
    {"passed", [](Evidence* e) { GiveVerdict(e, true); }, ktstr::v1::PASS,
     kNoFinding, ""},
    {"failed",
     [](Evidence* e) {
       GiveVerdict(e, false);
       AddFinding(e, ktstr::v1::UNFAIR);
       e->test_exit->set_exit_code(1);
     },
     ktstr::v1::FAIL, ktstr::v1::UNFAIR, "measured 7, limit 5"},
    {"failed_without_finding", [](Evidence* e) { GiveVerdict(e, false); },
     ktstr::v1::FAIL, kNoFinding, "without a finding"},
    {"body_error",
     [](Evidence* e) {
       GiveVerdict(e, false);
       AddFinding(e, ktstr::v1::UNFAIR);
       AddFinding(e, ktstr::v1::TEST_BODY_ERROR);
     },
     ktstr::v1::ERROR, ktstr::v1::UNFAIR, "measured 7"},
    {"skipped",
     [](Evidence* e) {
       GiveVerdict(e, true);
       e->verdict->set_skipped(true);
       e->verdict->set_skip_reason("too small");
     },
     ktstr::v1::SKIP, kNoFinding, "too small"},
    {"skipped_without_reason",
     [](Evidence* e) {
       GiveVerdict(e, true);
       e->verdict->set_skipped(true);
     },
     ktstr::v1::SKIP, kNoFinding, "without giving a reason"},
    {"test_crashed",
     [](Evidence* e) {
       Finish(e);
       e->test_exit->set_exit_signal(11);
     },
     ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED, "signal 11"},
    {"test_exits_silently", [](Evidence* e) { Finish(e); }, ktstr::v1::ERROR,
     ktstr::v1::TEST_CRASHED, "without a verdict (exit code 0)"},
    {"crash_after_pass",
     [](Evidence* e) {
       GiveVerdict(e, true);
       e->test_exit->set_exit_signal(6);
     },
     ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED, "after its verdict"},
    {"timeout_under_default",
     [](Evidence* e) {
       Finish(e);
       e->test_exit->set_timed_out(true);
     },
     ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED, "default scheduler"},
    {"timeout_under_scheduler",
     [](Evidence* e) {
       UseScheduler(e);
       Finish(e);
       e->test_exit->set_timed_out(true);
     },
     ktstr::v1::FAIL, ktstr::v1::STUCK, "scx_test"},
    {"finished_with_nothing",
     [](Evidence* e) {
       Finish(e);
       e->test_exit.reset();
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "without a verdict"},
    {"scheduler_died",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, false);
       AddFinding(e, ktstr::v1::TEST_BODY_ERROR);
       e->scheduler.emplace().set_died(true);
       e->scheduler->set_exit_code(1);
       e->console.sched_ext = "sched_ext: BPF scheduler \"x\" disabled";
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_DIED, "exit code 1); kernel: sched"},
    {"scheduler_ejected",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       e->scheduler.emplace().set_detached_early(true);
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_EJECTED, "did not say why"},
    {"stall_names_the_task_whatever_became_of_the_process",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_ERROR_STALL, "runnable task stall",
                   "w[7] failed to run for 1.020s");
       auto& task = *e->scheduler->mutable_exit()->mutable_stalled_task();
       task.set_comm("w");
       task.set_pid(7);
       task.mutable_waited()->set_seconds(1);
       task.mutable_waited()->set_nanos(20000000);
       e->scheduler->set_died(true);
       e->scheduler->set_exit_code(3);
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_STALLED,
     "scheduler scx_test stalled: w[7] did not run for 1.02 s"},
    {"stall_of_the_watchdog_itself",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_ERROR_STALL, "runnable task stall",
                   "watchdog failed to check in for 2.000s");
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_STALLED,
     "stalled: watchdog failed to check in for 2.000s"},
    {"error_of_a_scheduler_whose_process_lives",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_ERROR, "runtime error", "bad CPU 9");
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_EJECTED,
     "the kernel ended scheduler scx_test before the test was over: runtime "
     "error (bad CPU 9)"},
    {"error_when_detached",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_ERROR_BPF, "scx_bpf_error", "");
       e->scheduler->set_detached_early(false);
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_EJECTED,
     "when it was detached: scx_bpf_error"},
    {"ended_for_a_reason_of_another_kernel",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_UNKNOWN, "parent exiting", "");
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_EJECTED, "parent exiting"},
    {"ordinary_end_in_words_of_another_kernel",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_UNKNOWN, "taken out by its owner", "");
       e->scheduler->set_detached_early(false);
     },
     ktstr::v1::PASS, kNoFinding, ""},
    {"ordinary_end",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_UNREGISTERED_BY_USER,
                   "unregistered from user space", "");
       e->scheduler->set_detached_early(false);
     },
     ktstr::v1::PASS, kNoFinding, ""},
    {"killed_scheduler_takes_itself_along",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_UNREGISTERED_BY_USER,
                   "unregistered from user space", "");
       e->scheduler->set_died(true);
       e->scheduler->set_exit_signal(9);
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_DIED,
     "by signal 9 (Killed)); kernel: unregistered from user space"},
    {"detached_by_itself",
     [](Evidence* e) {
       UseScheduler(e);
       GiveVerdict(e, true);
       EndByKernel(e, ktstr::v1::EXIT_UNREGISTERED_BY_BPF,
                   "unregistered from BPF", "enough");
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_DIED,
     "detached before the test was over; kernel: unregistered from BPF "
     "(enough)"},
    {"scheduler_never_attached",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::HELLO);
       e->is_finished = true;
       e->failure.emplace().set_kind(ktstr::v1::SCHEDULER_NOT_ATTACHED);
       e->failure->set_message("not attached in 3s");
     },
     ktstr::v1::FAIL, ktstr::v1::SCHEDULER_NOT_ATTACHED, "not attached in 3s"},
    {"suite_cannot_be_executed",
     [](Evidence* e) {
       Reach(e, ktstr::v1::HELLO);
       e->is_finished = true;
       e->failure.emplace().set_kind(ktstr::v1::TEST_CRASHED);
       e->failure->set_message("cannot execute");
     },
     ktstr::v1::ERROR, ktstr::v1::TEST_CRASHED, "cannot execute"},
    {"guest_infrastructure",
     [](Evidence* e) {
       Reach(e, ktstr::v1::HELLO);
       e->is_finished = true;
       e->failure.emplace().set_kind(ktstr::v1::INFRASTRUCTURE);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, ""},
    {"oops_beside_a_pass",
     [](Evidence* e) {
       GiveVerdict(e, true);
       e->console.oops = "BUG: kernel NULL pointer dereference";
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "NULL pointer"},
    {"panic_during_boot",
     [](Evidence* e) {
       Reach(e, ktstr::v1::KERNEL_ENTERED);
       SetPanic(e, PanicKind::kKernel);
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "panicked during boot"},
    {"panic_under_scheduler",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       SetPanic(e, PanicKind::kKernel);
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "while scheduler scx_test"},
    {"panic_after_finish",
     [](Evidence* e) {
       GiveVerdict(e, true);
       SetPanic(e, PanicKind::kKernel);
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "after the workload"},
    {"panic_keeps_findings",
     [](Evidence* e) {
       GiveVerdict(e, false);
       AddFinding(e, ktstr::v1::STARVED);
       SetPanic(e, PanicKind::kKernel);
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "panicked"},
    {"panic_without_init",
     [](Evidence* e) {
       Reach(e, ktstr::v1::KERNEL_ENTERED);
       SetPanic(e, PanicKind::kNoInit);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "could not start init"},
    {"guestd_died",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       SetPanic(e, PanicKind::kInitDied);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "guestd ended"},
    {"memory_before_hello",
     [](Evidence* e) {
       Reach(e, ktstr::v1::KERNEL_ENTERED);
       SetPanic(e, PanicKind::kOutOfMemory);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "raise the test's memory"},
    {"memory_after_hello",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       SetPanic(e, PanicKind::kOutOfMemory);
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "panicked"},
    {"artifact_missing",
     [](Evidence* e) { e->preparation = absl::NotFoundError("fetch suite"); },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "fetch suite"},
    {"disk_full",
     [](Evidence* e) {
       e->preparation = absl::ResourceExhaustedError("write: No space left");
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "No space left"},
    {"revoked",
     [](Evidence* e) {
       GiveVerdict(e, false);
       e->stop = StopReason::kRevoked;
     },
     ktstr::v1::CANCELLED, kNoFinding, "revoked"},
    {"drained",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->stop = StopReason::kDraining;
       e->is_vmm_stopped = true;
       e->machine_end = MachineEnd::kStopped;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "hostd went away"},
    {"drained_after_finish",
     [](Evidence* e) {
       GiveVerdict(e, true);
       e->stop = StopReason::kDraining;
     },
     ktstr::v1::PASS, kNoFinding, ""},
    {"vmm_killed",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->vmm_exit.emplace().signal = 9;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "killed by signal 9"},
    {"vmm_without_end",
     [](Evidence* e) {
       Reach(e, ktstr::v1::VMM_UP);
       e->vmm_exit.emplace().code = 1;
       e->vmm_stderr = "no memory";
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "it said: no memory"},
    {"entry_failure",
     [](Evidence* e) {
       e->machine_end = MachineEnd::kEntryFailure;
       e->machine_end_detail = "reason 0x80000021";
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "0x80000021"},
    {"internal_error_under_scheduler",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->machine_end = MachineEnd::kInternalError;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "internal-error"},
    {"setup_failure",
     [](Evidence* e) { e->machine_end = MachineEnd::kSetupFailure; },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "setup-failure"},
    {"unmet_precondition",
     [](Evidence* e) {
       e->unmet_precondition = "performance mode: 2 host LLCs are needed";
     },
     ktstr::v1::SKIP, kNoFinding, "2 host LLCs are needed"},
    {"unmet_precondition_of_vmm",
     [](Evidence* e) {
       e->machine_end = MachineEnd::kUnmetPrecondition;
       e->machine_end_detail = "performance mode: 256 huge pages are needed";
       e->vmm_exit.emplace().code = 1;
     },
     ktstr::v1::SKIP, kNoFinding, "256 huge pages are needed"},
    {"init_error",
     [](Evidence* e) {
       Reach(e, ktstr::v1::HELLO);
       e->init_error = "initramfs cut off";
       e->is_vmm_stopped = true;
       e->machine_end = MachineEnd::kStopped;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "initramfs cut off"},
    {"boot_without_console",
     [](Evidence* e) {
       Reach(e, ktstr::v1::VMM_UP);
       Stop(e, Deadline::kBoot);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "console stayed empty"},
    {"boot_with_console",
     [](Evidence* e) {
       Reach(e, ktstr::v1::KERNEL_ENTERED);
       Stop(e, Deadline::kBoot);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "last words"},
    {"boot_with_refused_hello",
     [](Evidence* e) {
       Reach(e, ktstr::v1::KERNEL_ENTERED);
       Stop(e, Deadline::kBoot);
       e->refused_hello = "another attempt's nonce";
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "refused: another"},
    {"hung_starting_scheduler",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::HELLO);
       Stop(e, Deadline::kSetup);
     },
     ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG, "was starting"},
    {"hung_before_workload_under_default",
     [](Evidence* e) {
       Reach(e, ktstr::v1::HELLO);
       Stop(e, Deadline::kSetup);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "before the workload"},
    {"silent_under_scheduler",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       Stop(e, Deadline::kSilence);
     },
     ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG, "silent for 9s while scheduler"},
    {"silent_under_default",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       Stop(e, Deadline::kSilence);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "silent"},
    {"silent_under_default_with_lockup",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       Stop(e, Deadline::kSilence);
       e->console.lockup = "watchdog: BUG: soft lockup - CPU#1";
     },
     ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG, "soft lockup"},
    {"overdue_test_under_scheduler",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       Stop(e, Deadline::kTest);
     },
     ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG, "within 9s"},
    {"hung_detaching",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_ENDED);
       Stop(e, Deadline::kDetach);
       e->verdict.emplace().set_passed(true);
     },
     ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG, "scx_test"},
    {"hung_after_default_workload",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_ENDED);
       Stop(e, Deadline::kDetach);
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "after the workload"},
    {"hung_in_shutdown",
     [](Evidence* e) {
       GiveVerdict(e, true);
       Stop(e, Deadline::kShutdown);
     },
     ktstr::v1::PASS, kNoFinding, ""},
    {"vmm_deadline",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->machine_end = MachineEnd::kDeadline;
     },
     ktstr::v1::FAIL, ktstr::v1::GUEST_HUNG, ""},
    {"triple_fault_in_boot",
     [](Evidence* e) {
       Reach(e, ktstr::v1::VMM_UP);
       e->machine_end = MachineEnd::kTripleFault;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "triple-fault"},
    {"triple_fault_in_workload",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->machine_end = MachineEnd::kTripleFault;
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "triple-fault"},
    {"reset_without_a_word",
     [](Evidence* e) {
       UseScheduler(e);
       Reach(e, ktstr::v1::SCHEDULER_ATTACHED);
       e->machine_end = MachineEnd::kReset;
     },
     ktstr::v1::FAIL, ktstr::v1::KERNEL_PANIC, "reset"},
    {"power_off_too_early",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->machine_end = MachineEnd::kPowerOff;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE, "power-off"},
    {"session_lost",
     [](Evidence* e) {
       Reach(e, ktstr::v1::WORKLOAD_STARTED);
       e->session = absl::UnavailableError("socket closed");
       e->is_vmm_stopped = true;
       e->machine_end = MachineEnd::kStopped;
     },
     ktstr::v1::MISS, ktstr::v1::INFRASTRUCTURE,
     "session with guestd was lost"},
};

class ClassifyTest : public ::testing::TestWithParam<Row> {};

TEST_P(ClassifyTest, JudgesByEvidence) {
  Evidence evidence;
  GetParam().evidence(&evidence);
  Classification judged = Classify(evidence);
  EXPECT_EQ(judged.outcome, GetParam().outcome) << judged.reason;
  EXPECT_THAT(judged.reason, HasSubstr(GetParam().reason));
  auto first = judged.findings.empty() ? kNoFinding : judged.findings[0].kind();
  EXPECT_EQ(first, GetParam().kind) << judged.reason;
  // A reason for everything but a pass; INFRASTRUCTURE with MISS only.
  bool needs_reason = judged.outcome != ktstr::v1::PASS &&
                      GetParam().kind != ktstr::v1::INFRASTRUCTURE;
  EXPECT_TRUE(!needs_reason || !judged.reason.empty());
  for (const auto& finding : judged.findings) {
    EXPECT_EQ(finding.kind() == ktstr::v1::INFRASTRUCTURE,
              judged.outcome == ktstr::v1::MISS);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, ClassifyTest, ::testing::ValuesIn(kRows),
                         [](const auto& info) { return info.param.name; });

TEST(ClassifyFindingsTest, KeepsTheVerdictsFindingsBehindThePanic) {
  Evidence e;
  GiveVerdict(&e, false);
  AddFinding(&e, ktstr::v1::STARVED);
  SetPanic(&e, PanicKind::kKernel);
  Classification judged = Classify(e);
  ASSERT_EQ(judged.findings.size(), 2u);
  EXPECT_EQ(judged.findings[1].kind(), ktstr::v1::STARVED);
}

TEST(ClassifyTextTest, ReasonNeverCarriesRawGuestBytes) {
  Evidence e;
  e.preparation = absl::InternalError("a\x1b[31m\xff");
  EXPECT_EQ(Classify(e).reason, "a?[31m?");
}

}  // namespace
}  // namespace ktstr::hostd
