// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/proto_time.h"
#include "guestd/environment.h"
#include "guestd/kernel_log.h"
#include "guestd/leftovers.h"

namespace ktstr::guestd {
namespace {

constexpr absl::Duration kDefaultAttachTimeout = absl::Seconds(30);
constexpr absl::Duration kDefaultTestTimeout = absl::Minutes(10);
constexpr absl::Duration kDefaultDetachTimeout = absl::Seconds(30);
constexpr absl::Duration kCleanUpTimeout = absl::Seconds(10);
constexpr size_t kLogPieceBytes = 64 << 10;

absl::Status CheckRequest(const v1::RunTestRequest& request) {
  if (request.test().empty()) {
    return absl::InvalidArgumentError("RunTestRequest.test is empty");
  }
  if (request.suite_path().substr(0, 1) != "/") {
    return absl::InvalidArgumentError(
        absl::StrCat("RunTestRequest.suite_path \"", request.suite_path(),
                     "\" is not an absolute path"));
  }
  if (!request.scheduler_path().empty() && request.scheduler_path()[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat(
        "RunTestRequest.scheduler_path \"", request.scheduler_path(),
        "\" is neither empty nor an absolute path"));
  }
  return absl::OkStatus();
}

v1::Finding MakeFinding(v1::FindingKind kind, std::string message) {
  v1::Finding finding;
  finding.set_kind(kind);
  finding.set_message(std::move(message));
  return finding;
}

}  // namespace

Session::Session(SessionOptions options, Emit emit)
    : options_(std::move(options)), emit_(std::move(emit)) {}

Session::~Session() { loop_.Forget(heartbeat_.get()); }

void Session::Send(v1::GuestEvent event) {
  if (is_host_gone_) return;
  if (!event.has_at()) {
    *event.mutable_at() = ToProtoDuration(RealClock().Monotonic());
  }
  if (emit_(event)) return;
  is_host_gone_ = true;
  if (test_) test_->Kill();
}

void Session::SendPhase(v1::Phase phase) {
  v1::GuestEvent event;
  event.set_phase(phase);
  if (phase == v1::INIT) {
    *event.mutable_at() = ToProtoDuration(options_.init_started);
  }
  Send(std::move(event));
}

void Session::SendFailure(v1::Finding finding) {
  v1::GuestEvent event;
  *event.mutable_failure() = std::move(finding);
  Send(std::move(event));
}

void Session::StartHeartbeat() {
  heartbeat_.Reset(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  itimerspec period = {};
  period.it_interval = absl::ToTimespec(options_.heartbeat_interval);
  period.it_value = period.it_interval;
  timerfd_settime(heartbeat_.get(), 0, &period, nullptr);
  loop_.Watch(heartbeat_.get(), POLLIN, [this] { OnHeartbeat(); });
}

void Session::OnHeartbeat() {
  uint64_t ticks = 0;
  if (read(heartbeat_.get(), &ticks, sizeof(ticks)) != sizeof(ticks)) return;
  v1::GuestEvent event;
  event.set_heartbeat(true);
  Send(std::move(event));
  if (!options_.is_init) return;
  std::set<pid_t> tracked;
  if (scheduler_) tracked.insert(scheduler_->pid());
  if (test_) tracked.insert(test_->pid());
  ReapOrphans(tracked);
}

absl::Status Session::Run(const v1::RunTestRequest& request) {
  if (absl::Status status = CheckRequest(request); !status.ok()) return status;
  SendPhase(v1::INIT);
  StartHeartbeat();
  const bool is_set_up = SetUp(request);
  if (is_set_up &&
      (request.scheduler_path().empty() || AttachScheduler(request)) &&
      WriteMaps(request)) {
    RunTest(request);
  }
  CleanUp();
  // The attempt's phase is over whoever detached the last one.
  const bool was_attached =
      scheduler_ ? scheduler_->was_attached() : scheduler_runs_ > 0;
  const bool is_detached = !scheduler_ || StopScheduler(request);
  if (was_attached && is_detached) SendPhase(v1::DETACHED);
  if (is_set_up) UndoSetUp(request);
  if (options_.is_init) SendKernelLog();
  v1::GuestEvent event;
  event.set_finished(true);
  Send(std::move(event));
  if (is_host_gone_) return absl::CancelledError("the host is gone");
  return absl::OkStatus();
}

void Session::SendKernelLog() {
  std::string log = ReadKernelLog();
  for (size_t at = 0; at < log.size(); at += kLogPieceBytes) {
    v1::GuestEvent event;
    event.set_kernel_log(log.substr(at, kLogPieceBytes));
    Send(std::move(event));
  }
}

bool Session::SetUp(const v1::RunTestRequest& request) {
  absl::Status status = ApplySetup(request.setup(), options_.setup_roots);
  if (!status.ok()) {
    SendFailure(
        MakeFinding(v1::SETUP_FAILED,
                    absl::StrCat("scheduler ", request.scheduler_name(),
                                 " cannot be set up: ", status.message())));
    return false;
  }
  // A scheduler inside the kernel is attached once it has taken every setting.
  if (!request.setup().enable().empty()) SendPhase(v1::SCHEDULER_ATTACHED);
  return !is_host_gone_;
}

void Session::UndoSetUp(const v1::RunTestRequest& request) {
  const std::string parent =
      CgroupParentDir(request.setup(), options_.setup_roots);
  if (!parent.empty()) RemoveCgroups(parent);
  absl::Status status = UndoSetup(request.setup(), options_.setup_roots);
  if (!status.ok()) {
    SendFailure(MakeFinding(
        v1::SETUP_FAILED,
        absl::StrCat("scheduler ", request.scheduler_name(),
                     " cannot be switched off: ", status.message())));
  } else if (!request.setup().enable().empty()) {
    SendPhase(v1::DETACHED);
  }
}

absl::optional<v1::Finding> Session::StartScheduler(
    const v1::RunTestRequest& request, std::vector<std::string> args) {
  Scheduler::Options options;
  options.name = request.scheduler_name().empty() ? request.scheduler_path()
                                                  : request.scheduler_name();
  options.program = request.scheduler_path();
  options.args = args;
  options.extra_env = LibraryEnvironment();
  options.wants_verifier_log = request.wants_verifier_log();
  options.sched_ext = options_.sched_ext;
  options.on_log = [this](absl::string_view text) {
    v1::GuestEvent event;
    event.set_scheduler_log(std::string(text));
    Send(std::move(event));
  };
  options.tracefs = options_.tracefs;
  options.on_dump = [this](absl::string_view text) {
    v1::GuestEvent event;
    event.set_sched_ext_dump(std::string(text));
    Send(std::move(event));
  };
  scheduler_args_ = std::move(args);
  is_ended_by_test_ = false;
  ++scheduler_runs_;
  scheduler_ = std::make_unique<Scheduler>(std::move(options), &loop_);
  return scheduler_->Attach(
      FromProtoDurationOr(request.attach_timeout(), kDefaultAttachTimeout));
}

bool Session::AttachScheduler(const v1::RunTestRequest& request) {
  absl::optional<v1::Finding> finding = StartScheduler(
      request,
      {request.scheduler_args().begin(), request.scheduler_args().end()});
  if (scheduler_->pid() > 0 &&
      (request.wants_verifier_log() || scheduler_->was_attached())) {
    v1::GuestEvent event;
    *event.mutable_bpf_programs() = scheduler_->bpf_programs();
    Send(std::move(event));
  }
  if (finding) {
    SendFailure(*std::move(finding));
    return false;
  }
  SendPhase(v1::SCHEDULER_ATTACHED);
  return !is_host_gone_;
}

bool Session::WriteMaps(const v1::RunTestRequest& request) {
  if (request.bpf_map_writes().empty()) return true;
  if (!scheduler_) {
    SendFailure(MakeFinding(
        v1::SETUP_FAILED,
        "the test's bpf_map_write needs a scheduler that is a program"));
    return false;
  }
  absl::Status status = scheduler_->Write(request.bpf_map_writes());
  if (status.ok()) return true;
  SendFailure(MakeFinding(
      v1::SETUP_FAILED,
      absl::StrCat("the test's bpf_map_write into scheduler ",
                   request.scheduler_name(), ": ", status.message())));
  return false;
}

void Session::RunTest(const v1::RunTestRequest& request) {
  absl::StatusOr<std::unique_ptr<TestProcess>> test = TestProcess::Start(
      request, scheduler_ ? scheduler_->pid() : -1,
      CgroupParentDir(request.setup(), options_.setup_roots), &loop_,
      {.on_log =
           [this](absl::string_view text) {
             v1::GuestEvent event;
             event.set_test_log(std::string(text));
             Send(std::move(event));
           },
       .on_frame = [this](const v1::TestFrame& frame) { OnFrame(frame); },
       .on_request =
           [this, &request](const v1::ControlRequest& asked) {
             return OnRequest(request, asked);
           }});
  if (!test.ok()) {
    SendFailure(MakeFinding(v1::TEST_CRASHED,
                            absl::StrCat("the suite cannot be executed: ",
                                         test.status().message())));
    return;
  }
  test_ = *std::move(test);
  if (scheduler_) scheduler_->OnTrouble([this] { OnSchedulerTrouble(); });
  ReportTestEnd(test_->Wait(
      RealClock().Monotonic() +
      FromProtoDurationOr(request.test_timeout(), kDefaultTestTimeout)));
}

void Session::OnFrame(const v1::TestFrame& frame) {
  if (has_verdict_) {
    is_damaged_ = true;  // nothing may follow the verdict
    return;
  }
  v1::GuestEvent event;
  switch (frame.frame_case()) {
    case v1::TestFrame::kStarted:
      SendPhase(v1::WORKLOAD_STARTED);
      return;
    case v1::TestFrame::kStimulus:
      *event.mutable_stimulus() = frame.stimulus();
      break;
    case v1::TestFrame::kVerdict:
      has_verdict_ = true;
      *event.mutable_verdict() = frame.verdict();
      test_->Hasten(RealClock().Monotonic() + options_.grace_after_verdict,
                    /*is_timeout=*/true);
      break;
    case v1::TestFrame::FRAME_NOT_SET:
      return;
  }
  Send(std::move(event));
}

void Session::OnSchedulerTrouble() {
  SendSchedulerReport();
  if (test_) {
    test_->Hasten(RealClock().Monotonic() + options_.grace_without_scheduler,
                  /*is_timeout=*/false);
  }
}

void Session::ReportTestEnd(const v1::TestExit& exit) {
  if (!test_->stream_error().ok()) {
    SendFailure(MakeFinding(v1::TEST_CRASHED,
                            absl::StrCat("the test wrote a damaged frame: ",
                                         test_->stream_error().message())));
  } else if (is_damaged_) {
    SendFailure(MakeFinding(v1::TEST_CRASHED,
                            "the test wrote frames after its verdict"));
  }
  v1::GuestEvent event;
  *event.mutable_test_exit() = exit;
  Send(std::move(event));
  if (has_verdict_ && !test_->is_running()) SendPhase(v1::WORKLOAD_ENDED);
}

void Session::CleanUp() {
  if (test_) test_->Kill();
  if (options_.is_init) {
    std::set<pid_t> kept;
    if (scheduler_ && scheduler_->pid() > 0) kept.insert(scheduler_->pid());
    KillStrays(kept);
  }
  RemoveCgroups(options_.cgroup_root);
}

void Session::RemoveCgroups(const std::string& root) {
  absl::Status status =
      RemoveCgroupTree(root, RealClock().Monotonic() + kCleanUpTimeout);
  if (!status.ok()) {
    fprintf(stderr, "guestd: after the test: %s\n", status.ToString().c_str());
  }
}

bool Session::StopScheduler(const v1::RunTestRequest& request) {
  bool is_detached = scheduler_->Stop(
      FromProtoDurationOr(request.detach_timeout(), kDefaultDetachTimeout));
  SendSchedulerReport();
  return is_detached;
}

void Session::SendSchedulerReport() {
  v1::GuestEvent event;
  v1::SchedulerReport& report = *event.mutable_scheduler();
  report = scheduler_->report();
  report.set_run(scheduler_runs_ - 1);
  report.set_ended_by_test(is_ended_by_test_);
  report.mutable_args()->Assign(scheduler_args_.begin(), scheduler_args_.end());
  Send(std::move(event));
}

v1::ControlResponse Session::OnRequest(const v1::RunTestRequest& request,
                                       const v1::ControlRequest& asked) {
  absl::Status status = ChangeScheduler(request, asked);
  v1::ControlResponse response;
  response.set_is_answer(true);
  response.set_code(static_cast<int>(status.code()));
  response.set_message(std::string(status.message()));
  if (scheduler_) response.set_scheduler_pid(scheduler_->pid());
  return response;
}

absl::Status Session::ChangeScheduler(const v1::RunTestRequest& request,
                                      const v1::ControlRequest& asked) {
  using Request = v1::ControlRequest;
  if (asked.action() < Request::ATTACH || asked.action() > Request::REPLACE) {
    return absl::InvalidArgumentError("the test asked for nothing known");
  }
  if (request.scheduler_path().empty()) {
    return absl::FailedPreconditionError(
        "the attempt has no scheduler that is a program");
  }
  const bool is_attach = asked.action() == Request::ATTACH;
  if (is_attach == (scheduler_ != nullptr)) {
    return absl::FailedPreconditionError(is_attach
                                             ? "a scheduler is attached already"
                                             : "no scheduler is attached");
  }
  const std::string name = request.scheduler_name();
  if (scheduler_) {
    if (scheduler_->is_in_trouble()) {
      return absl::AbortedError(
          absl::StrCat("scheduler ", name, " has ended by itself"));
    }
    is_ended_by_test_ = true;
    const bool is_detached = StopScheduler(request);
    scheduler_.reset();
    if (!is_detached) {
      return absl::AbortedError(
          absl::StrCat("the kernel still has scheduler ", name, " attached"));
    }
  }
  if (asked.action() == Request::DETACH) return absl::OkStatus();
  const auto& args = asked.has_args() ? asked.args() : request.scheduler_args();
  absl::optional<v1::Finding> finding =
      StartScheduler(request, {args.begin(), args.end()});
  if (finding) {
    StopScheduler(request);
    scheduler_.reset();
    return absl::AbortedError(finding->message());
  }
  scheduler_->OnTrouble([this] { OnSchedulerTrouble(); });
  return absl::OkStatus();
}

}  // namespace ktstr::guestd
