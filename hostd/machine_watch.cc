// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/machine_watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "base/proto_time.h"
#include "hostd/boot_steps.h"
#include "hostd/text.h"

namespace ktstr::hostd {
namespace {

constexpr absl::Duration kPanicGrace = absl::Milliseconds(500);
constexpr absl::Duration kPanicLimit = absl::Milliseconds(900);
constexpr absl::Duration kPanicQuiet = absl::Milliseconds(150);
// A lost session is explained by a panic line or an end within this time.
constexpr absl::Duration kLossGrace = absl::Seconds(2);
constexpr absl::Duration kStopGrace = absl::Seconds(2);
constexpr size_t kMaxReportLine = 64 << 10;
constexpr size_t kStderrBytes = 8 << 10;
// vmm reports nine, guestd and the kernel six.
constexpr size_t kMaxBootSteps = 32;
// Reads of one pipe before other descriptors get their turn.
constexpr int kReadsPerTurn = 16;

// Calls `consume` with what the non-blocking `fd` holds. False at its end.
template <typename Consume>
bool ReadPipe(int fd, int max_reads, Consume consume) {
  char buffer[65536];
  for (int i = 0; i < max_reads; ++i) {
    ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count > 0) {
      consume(absl::string_view(buffer, static_cast<size_t>(count)));
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
  }
  return true;
}

}  // namespace

WatchLimits WatchLimits::From(const ktstr::v1::AttemptBudget& budget,
                              absl::Duration test_duration) {
  WatchLimits limits;
  limits.boot = FromProtoDurationOr(budget.boot(), absl::Seconds(60));
  // The boot budget is the one that knows how slow this kind of host is.
  absl::Duration slack = std::max(absl::Seconds(5), limits.boot / 2);
  limits.setup =
      FromProtoDurationOr(budget.attach(), absl::Seconds(15)) + slack;
  limits.test = FromProtoDurationOr(budget.test(),
                                    test_duration * 2 + absl::Seconds(30)) +
                slack;
  limits.silence = slack;
  absl::Duration shutdown =
      FromProtoDurationOr(budget.shutdown(), absl::Seconds(15));
  limits.detach = shutdown + slack;
  limits.shutdown = shutdown;
  limits.total = FromProtoDurationOr(
      budget.total(), limits.boot + limits.setup + limits.test + limits.detach +
                          limits.shutdown);
  return limits;
}

MachineWatch::MachineWatch(Options options, VmmProcess* vmm,
                           HelloListener* hello, AttemptControl* control)
    : options_(std::move(options)),
      vmm_(vmm),
      hello_(hello),
      control_(control),
      stage_entered_(options_.started),
      stderr_(kStderrBytes) {
  result_.evidence.has_scheduler = !options_.request.scheduler_path().empty() ||
                                   !options_.request.setup().enable().empty();
  result_.evidence.scheduler_name = options_.request.scheduler_name();
}

WatchResult MachineWatch::Run() {
  while (!IsOver()) {
    Wait();
    HandleTimers();
  }
  console_.Finish();
  if (session_ != nullptr) TakeSession();
  if (options_.watchdog != nullptr) options_.watchdog->ReadBack();
  console_.LearnFrom(result_.guest.kernel_log.text());
  Evidence& evidence = result_.evidence;
  evidence.console = console_.facts();
  evidence.stop = control_->reason();
  evidence.refused_hello = hello_->refused();
  evidence.vmm_stderr = PrintableText(stderr_.text(), 1024);
  evidence.is_finished = result_.guest.is_finished;
  evidence.verdict = result_.guest.verdict;
  evidence.test_exit = result_.guest.test_exit;
  evidence.scheduler = result_.guest.scheduler;
  evidence.failure = result_.guest.failure;
  for (size_t i = phases_seen_; i < result_.guest.phases.size(); ++i) {
    NotePhase(result_.guest.phases[i].first, result_.guest.phases[i].second);
  }
  result_.console_tail = std::string(console_.tail());
  if (hello_at_) {
    for (auto& step :
         KernelBootSteps(result_.guest.kernel_log.text(), *hello_at_)) {
      result_.boot_steps.push_back(std::move(step));
    }
  }
  std::stable_sort(result_.boot_steps.begin(), result_.boot_steps.end(),
                   [](const auto& a, const auto& b) {
                     return FromProtoDuration(a.since_start()) <
                            FromProtoDuration(b.since_start());
                   });
  std::stable_sort(result_.phases.begin(), result_.phases.end(),
                   [](const auto& a, const auto& b) {
                     return FromProtoDuration(a.since_start()) <
                            FromProtoDuration(b.since_start());
                   });
  return std::move(result_);
}

void MachineWatch::TakeSession() {
  // Its channel's other side is gone; whatever it still waits for ends now.
  session_->Cancel();
  while (!session_->Peek().is_done) {
    pollfd polled = {
        .fd = session_->event_fd(), .events = POLLIN, .revents = 0};
    poll(&polled, 1, -1);
    eventfd_t ignored;
    eventfd_read(session_->event_fd(), &ignored);
  }
  GuestSession::View view = session_->Take();
  result_.guest = std::move(view.record);
  if (!result_.guest.is_finished && result_.evidence.session.ok()) {
    result_.evidence.session = view.status;
  }
}

bool MachineWatch::IsOver() const {
  return is_vmm_ended_ && !is_console_open_ && !is_report_open_ &&
         !is_stderr_open_;
}

void MachineWatch::Wait() {
  std::vector<pollfd> polled;
  auto add = [&polled](int fd) {
    polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    return polled.size() - 1;
  };
  // Negative descriptors are ignored by poll: fixed places for fixed things.
  size_t process = add(is_vmm_ended_ ? -1 : vmm_->pidfd());
  size_t console = add(is_console_open_ ? vmm_->console_fd() : -1);
  size_t report = add(is_report_open_ ? vmm_->report_fd() : -1);
  size_t errors = add(is_stderr_open_ ? vmm_->stderr_fd() : -1);
  bool is_stopping = stage_ == Stage::kEnding;
  size_t stop = add(is_stopping ? -1 : control_->stop_fd());
  size_t kill = add(is_killed_ ? -1 : control_->immediate_fd());
  size_t session = add(session_ ? session_->event_fd() : -1);
  size_t guestd =
      add(is_hello_handled_ && !is_guestd_gone_ ? hello_->connection() : -1);
  bool is_booting = stage_ == Stage::kBoot;
  if (is_booting) hello_->AddPollFds(&polled);

  absl::Duration left = NextTimer() - Now();
  timespec timeout = absl::ToTimespec(std::max(left, absl::ZeroDuration()));
  int ready =
      ppoll(polled.data(), polled.size(),
            left == absl::InfiniteDuration() ? nullptr : &timeout, nullptr);
  if (ready <= 0) return;
  auto is_ready = [&polled](size_t i) { return polled[i].revents != 0; };
  if (is_ready(report)) ReadReport();
  if (is_ready(console)) ReadConsole();
  if (is_ready(errors)) ReadStderr();
  if (is_booting) HandleHello();
  if (is_ready(session)) HandleSession();
  if (is_ready(guestd)) {
    char ignored[256];
    ssize_t count =
        recv(hello_->connection(), ignored, sizeof(ignored), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
      is_guestd_gone_ = true;
      NoteLoss(absl::UnavailableError("guestd closed its connection"));
    }
  }
  if (is_ready(stop) || is_ready(kill)) HandleStop();
  if (is_ready(process)) HandleVmmEnd();
}

absl::Duration MachineWatch::NextTimer() const {
  const WatchLimits& limits = options_.limits;
  if (stage_ == Stage::kEnding) {
    return is_killed_ ? absl::InfiniteDuration() : stop_asked_at_ + kStopGrace;
  }
  absl::Duration next = options_.started + limits.total;
  auto consider = [&next](absl::Duration at) { next = std::min(next, at); };
  switch (stage_) {
    case Stage::kBoot:
      consider(stage_entered_ + limits.boot);
      break;
    case Stage::kSetup:
      consider(stage_entered_ + limits.setup);
      break;
    case Stage::kTest:
      consider(stage_entered_ + limits.test);
      consider(last_sign_of_life_ + limits.silence);
      break;
    case Stage::kDetach:
      consider(stage_entered_ + limits.detach);
      break;
    case Stage::kShutdown:
      consider(stage_entered_ + limits.shutdown);
      break;
    case Stage::kEnding:
      break;
  }
  if (panic_at_ != absl::InfiniteDuration()) {
    consider(std::min(
        panic_at_ + kPanicLimit,
        std::max(panic_at_ + kPanicGrace, last_console_ + kPanicQuiet)));
  }
  if (lost_at_ != absl::InfiniteDuration()) consider(lost_at_ + kLossGrace);
  return next;
}

void MachineWatch::HandleTimers() {
  absl::Duration now = Now();
  if (is_vmm_ended_ || now < NextTimer()) return;
  if (stage_ == Stage::kEnding) return EndMachine(/*is_immediate=*/true);
  const WatchLimits& limits = options_.limits;
  bool is_explained = panic_at_ != absl::InfiniteDuration() ||
                      lost_at_ != absl::InfiniteDuration();
  if (is_explained) {
    // The panic or the loss is the finding, not a deadline.
  } else if (now >= options_.started + limits.total) {
    NoteDeadline(Deadline::kTotal, limits.total);
  } else if (stage_ == Stage::kBoot) {
    NoteDeadline(Deadline::kBoot, limits.boot);
  } else if (stage_ == Stage::kSetup) {
    NoteDeadline(Deadline::kSetup, limits.setup);
  } else if (stage_ == Stage::kTest) {
    bool is_silent = now >= last_sign_of_life_ + limits.silence;
    NoteDeadline(is_silent ? Deadline::kSilence : Deadline::kTest,
                 is_silent ? limits.silence : limits.test);
  } else if (stage_ == Stage::kDetach) {
    NoteDeadline(Deadline::kDetach, limits.detach);
  } else {
    NoteDeadline(Deadline::kShutdown, limits.shutdown);
  }
  EndMachine(/*is_immediate=*/false);
}

void MachineWatch::HandleStop() { EndMachine(control_->is_immediate()); }

void MachineWatch::HandleHello() {
  hello_->HandleEvents();
  if (!hello_->hello().has_value() || is_hello_handled_) {
    if (hello_->is_exhausted() && stage_ == Stage::kBoot) {
      NoteDeadline(Deadline::kBoot, Now() - options_.started);
      EndMachine(/*is_immediate=*/false);
    }
    return;
  }
  is_hello_handled_ = true;
  absl::Duration now = Now();
  const ktstr::v1::Hello& hello = *hello_->hello();
  // When init started, carried from the guest's clock to ours; a guest that
  // lies about its clock only moves this mark, and not before the start.
  absl::Duration since_init = FromProtoDuration(hello.hello_sent()) -
                              FromProtoDuration(hello.init_started());
  since_init =
      std::clamp(since_init, absl::ZeroDuration(), now - options_.started);
  NotePhase(
      ktstr::v1::INIT, now - since_init,
      absl::StrFormat(
          "guest clock %.0f ms at init, %.0f ms at hello",
          absl::ToDoubleMilliseconds(FromProtoDuration(hello.init_started())),
          absl::ToDoubleMilliseconds(FromProtoDuration(hello.hello_sent()))));
  NotePhase(ktstr::v1::HELLO, now);
  NoteStep("init", now - since_init);
  NoteStep("hello", now);
  hello_at_ = now - options_.started;
  result_.kernel_release = PrintableText(hello.kernel_release(), 64);
  Enter(Stage::kSetup);
  if (!hello.init_error().empty()) {
    result_.evidence.init_error = PrintableText(hello.init_error());
    EndMachine(/*is_immediate=*/false);
    return;
  }
  auto session = GuestSession::Start({.vsock_path = options_.vsock_path,
                                      .request = options_.request,
                                      .call_timeout = options_.limits.shutdown,
                                      .clock = options_.clock});
  if (!session.ok()) {
    result_.evidence.session = session.status();
    EndMachine(/*is_immediate=*/false);
    return;
  }
  session_ = *std::move(session);
  result_.evidence.is_test_requested = true;
}

void MachineWatch::HandleSession() {
  eventfd_t ignored;
  eventfd_read(session_->event_fd(), &ignored);
  GuestSession::View view = session_->Peek();
  last_sign_of_life_ = std::max(last_sign_of_life_, view.last_event);
  for (; phases_seen_ < view.record.phases.size(); ++phases_seen_) {
    auto [phase, at] = view.record.phases[phases_seen_];
    NotePhase(phase, at);
    if (phase == ktstr::v1::WORKLOAD_STARTED) Enter(Stage::kTest);
    if (phase == ktstr::v1::WORKLOAD_ENDED) Enter(Stage::kDetach);
    if (options_.watchdog == nullptr) continue;
    if (phase == ktstr::v1::SCHEDULER_ATTACHED) {
      options_.watchdog->Write(vmm_->ReceiveMemory());
    } else if (phase == ktstr::v1::WORKLOAD_ENDED) {
      options_.watchdog->ReadBack();
    }
  }
  if (view.record.is_finished && stage_ != Stage::kShutdown) {
    result_.finished_at = Now();
    Enter(Stage::kShutdown);
  }
  if (view.is_done && !view.record.is_finished) NoteLoss(view.status);
}

void MachineWatch::NoteLoss(absl::Status status) {
  if (stage_ == Stage::kShutdown || stage_ == Stage::kEnding) return;
  if (lost_at_ != absl::InfiniteDuration()) return;
  if (session_ != nullptr && session_->Peek().record.is_finished) return;
  lost_at_ = Now();
  result_.evidence.session = std::move(status);
}

void MachineWatch::ReadConsole() {
  is_console_open_ = ReadPipe(
      vmm_->console_fd(), kReadsPerTurn, [this](absl::string_view bytes) {
        console_.Append(bytes);
        last_console_ = Now();
        if (panic_at_ == absl::InfiniteDuration() &&
            console_.facts().panic_kind != PanicKind::kNone) {
          panic_at_ = last_console_;
        }
      });
}

void MachineWatch::ReadReport() {
  is_report_open_ = ReadPipe(
      vmm_->report_fd(), kReadsPerTurn, [this](absl::string_view bytes) {
        for (size_t end; (end = bytes.find('\n')) != bytes.npos;
             bytes.remove_prefix(end + 1)) {
          absl::StrAppend(&report_line_, bytes.substr(0, end));
          HandleReportLine(report_line_);
          report_line_.clear();
        }
        if (report_line_.size() < kMaxReportLine) {
          absl::StrAppend(&report_line_, bytes);
        }
      });
}

void MachineWatch::ReadStderr() {
  is_stderr_open_ =
      ReadPipe(vmm_->stderr_fd(), kReadsPerTurn,
               [this](absl::string_view bytes) { stderr_.Append(bytes); });
}

void MachineWatch::HandleReportLine(absl::string_view line) {
  auto event = ParseMachineEvent(line);
  if (!event.ok()) {
    stderr_.Append(absl::StrCat(event.status().message(), "\n"));
    return;
  }
  if (event->name == "end") {
    result_.evidence.machine_end = event->end;
    result_.evidence.machine_end_detail = PrintableText(event->detail, 2048);
    if (event->end == MachineEnd::kDeadline) {
      NoteDeadline(Deadline::kTotal, options_.limits.total);
    }
    NotePhase(ktstr::v1::SHUT_DOWN, event->at,
              std::string(MachineEndName(event->end)));
    return;
  }
  NoteStep(event->name, event->at);
  if (event->name == "vcpus") {
    NotePhase(ktstr::v1::VMM_UP, event->at);
  } else if (event->name == "first-io") {
    NotePhase(ktstr::v1::KERNEL_ENTERED, event->at);
  }
}

void MachineWatch::HandleVmmEnd() {
  auto exit = vmm_->Wait();
  is_vmm_ended_ = true;
  if (exit.ok()) result_.evidence.vmm_exit = *exit;
  // A process that vmm may have left behind must not hold the pipes open for
  // us: what is in them now is all there is.
  while (is_console_open_) {
    size_t before = static_cast<size_t>(console_.facts().bytes);
    ReadConsole();
    if (static_cast<size_t>(console_.facts().bytes) == before) break;
  }
  ReadReport();
  ReadStderr();
  is_console_open_ = is_report_open_ = is_stderr_open_ = false;
}

void MachineWatch::Enter(Stage stage) {
  if (stage_ == Stage::kEnding || stage <= stage_) return;
  stage_ = stage;
  stage_entered_ = Now();
  last_sign_of_life_ = stage_entered_;
}

void MachineWatch::EndMachine(bool is_immediate) {
  if (stage_ != Stage::kEnding) {
    stage_ = Stage::kEnding;
    stop_asked_at_ = Now();
    result_.evidence.is_vmm_stopped = true;
    vmm_->RequestStop();
    if (session_ != nullptr) session_->Cancel();
  }
  if (is_immediate && !is_killed_) {
    is_killed_ = true;
    vmm_->Kill();
  }
}

void MachineWatch::NoteDeadline(Deadline deadline, absl::Duration allowed) {
  if (result_.evidence.deadline != Deadline::kNone) return;
  result_.evidence.deadline = deadline;
  result_.evidence.allowed = absl::Trunc(allowed, absl::Milliseconds(1));
}

void MachineWatch::NotePhase(ktstr::v1::Phase phase, absl::Duration at,
                             std::string detail) {
  if (result_.evidence.Reached(phase)) return;
  result_.evidence.phases.set(static_cast<size_t>(phase));
  ktstr::v1::PhaseEvidence& evidence = result_.phases.emplace_back();
  evidence.set_phase(phase);
  *evidence.mutable_since_start() =
      ToProtoDuration(std::max(at - options_.started, absl::ZeroDuration()));
  evidence.set_detail(std::move(detail));
  control_->ReportPhase(phase);
}

void MachineWatch::NoteStep(absl::string_view name, absl::Duration at) {
  if (result_.boot_steps.size() >= kMaxBootSteps) return;
  ktstr::v1::BootStep& step = result_.boot_steps.emplace_back();
  step.set_name(PrintableText(name, 32));
  *step.mutable_since_start() =
      ToProtoDuration(std::max(at - options_.started, absl::ZeroDuration()));
}

}  // namespace ktstr::hostd
