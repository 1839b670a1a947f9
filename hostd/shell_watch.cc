// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/shell_watch.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ktstr::hostd {
namespace {

// For an end that is expected: a panic to restart, a lost guestd to be
// explained.
constexpr absl::Duration kExpectedEnd = absl::Seconds(2);
// For an orderly power-off.
constexpr absl::Duration kPowerOff = absl::Seconds(10);
constexpr absl::Duration kStopGrace = absl::Seconds(2);
constexpr size_t kMaxReportLine = 64 << 10;
constexpr size_t kStderrBytes = 8 << 10;

// What the non-blocking `fd` holds, 64 KiB at most; empty when that is nothing
// yet. nullopt at its end.
std::optional<std::string> ReadSome(int fd) {
  std::string bytes(65536, '\0');
  ssize_t count = read(fd, bytes.data(), bytes.size());
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
    return std::nullopt;
  }
  bytes.resize(std::max<ssize_t>(count, 0));
  return bytes;
}

ktstr::v1::ShellEnd MakeEnd(ktstr::v1::ShellEnd::Kind kind,
                            std::string message) {
  ktstr::v1::ShellEnd end;
  end.set_kind(kind);
  end.set_message(std::move(message));
  return end;
}

// A panic that blames what we put into the guest is ours.
ktstr::v1::ShellEnd::Kind KindOf(PanicKind kind) {
  bool is_ours = kind == PanicKind::kNoInit || kind == PanicKind::kInitDied;
  return is_ours ? ktstr::v1::ShellEnd::FAILED : ktstr::v1::ShellEnd::CRASHED;
}

}  // namespace

void ShellInlet::Connect(std::shared_ptr<ShellSession> session) {
  absl::MutexLock lock(&mutex_);
  session_ = std::move(session);
}

void ShellInlet::Forward(const ktstr::v1::ShellInput& input) {
  std::shared_ptr<ShellSession> session;
  {
    absl::MutexLock lock(&mutex_);
    session = session_;
  }
  if (session != nullptr) session->Send(input);
}

ShellWatch::ShellWatch(Options options, StartedGuest* guest, ShellLink* link,
                       ShellInlet* inlet)
    : options_(std::move(options)),
      guest_(guest),
      link_(link),
      inlet_(inlet),
      stderr_(kStderrBytes) {}

ktstr::v1::ShellEnd ShellWatch::Run() {
  while (!is_vmm_ended_) {
    Wait();
    HandleTimer();
  }
  console_.Finish();
  if (session_ != nullptr) {
    // Its channel's other side is gone; whatever it still waits for ends now.
    session_->Cancel();
    inlet_->Connect(nullptr);
    session_.reset();
  }
  return Explain();
}

void ShellWatch::Wait() {
  std::vector<pollfd> polled;
  // Negative descriptors are ignored by poll: fixed places for fixed things.
  for (int fd :
       {guest_->vmm().pidfd(), is_report_open_ ? guest_->vmm().report_fd() : -1,
        is_console_open_ ? guest_->vmm().console_fd() : -1,
        is_stderr_open_ ? guest_->vmm().stderr_fd() : -1,
        is_stop_asked_ ? -1 : link_->stop_fd(),
        session_ && !is_session_over_ ? session_->over_fd() : -1,
        is_hello_handled_ && !is_guestd_gone_ ? guest_->hello().connection()
                                              : -1}) {
    polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
  }
  bool is_booting = !is_hello_handled_;
  if (is_booting) guest_->hello().AddPollFds(&polled);
  absl::Duration left = NextTimer() - Now();
  timespec timeout = absl::ToTimespec(std::max(left, absl::ZeroDuration()));
  int ready =
      ppoll(polled.data(), polled.size(),
            left == absl::InfiniteDuration() ? nullptr : &timeout, nullptr);
  if (ready <= 0) return;
  if (polled[1].revents != 0) ReadReport();
  if (polled[2].revents != 0) ReadConsole();
  if (polled[3].revents != 0) ReadStderr();
  if (is_booting) HandleHello();
  if (polled[5].revents != 0) HandleSessionEnd();
  if (polled[6].revents != 0) HandleGuestd();
  if (polled[4].revents != 0) EndMachine();
  if (polled[0].revents != 0) HandleVmmEnd();
}

absl::Duration ShellWatch::NextTimer() const {
  if (ends_at_ != absl::InfiniteDuration() || is_hello_handled_) {
    return ends_at_;
  }
  return guest_->started() + options_.boot_timeout;
}

void ShellWatch::HandleTimer() {
  if (is_vmm_ended_ || Now() < NextTimer()) return;
  if (!is_hello_handled_ && ends_at_ == absl::InfiniteDuration()) {
    return Fail(absl::StrCat("the guest did not call back within ",
                             absl::FormatDuration(options_.boot_timeout)));
  }
  EndMachine();
}

void ShellWatch::Fail(std::string message) {
  if (failure_.empty()) failure_ = std::move(message);
  EndMachine();
}

void ShellWatch::EndMachine() {
  if (!is_stop_asked_) {
    is_stop_asked_ = true;
    ends_at_ = Now() + kStopGrace;
    guest_->vmm().RequestStop();
    if (session_ != nullptr) session_->Cancel();
  } else if (!is_killed_ && Now() >= ends_at_) {
    is_killed_ = true;
    ends_at_ = absl::InfiniteDuration();
    guest_->vmm().Kill();
  }
}

void ShellWatch::HandleHello() {
  HelloListener& hello = guest_->hello();
  hello.HandleEvents();
  if (!hello.hello().has_value()) {
    if (hello.is_exhausted()) {
      Fail(absl::StrCat("no valid hello came: ", hello.refused()));
    }
    return;
  }
  is_hello_handled_ = true;
  if (!hello.hello()->init_error().empty()) {
    return Fail(absl::StrCat("the guest could not be prepared: ",
                             PrintableText(hello.hello()->init_error())));
  }
  auto session = ShellSession::Start(
      {.vsock_path = guest_->vsock_path(),
       .start = options_.start,
       .on_output = [this](const ktstr::v1::ShellOutput& output) {
         link_->Send(output);
       }});
  if (!session.ok()) return Fail(std::string(session.status().message()));
  session_ = *std::move(session);
  inlet_->Connect(session_);
}

void ShellWatch::HandleGuestd() {
  char ignored[256];
  ssize_t count = recv(guest_->hello().connection(), ignored, sizeof(ignored),
                       MSG_DONTWAIT);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) return;
  is_guestd_gone_ = true;
  NoteLoss(absl::UnavailableError("guestd closed its connection"));
}

void ShellWatch::NoteLoss(const absl::Status& status) {
  // The machine's own end explains a guestd that is gone; a shell that could
  // not be started has nothing to wait for.
  if (failure_.empty()) {
    failure_ = absl::StrCat("the shell was lost: ", status.message());
  }
  ends_at_ = std::min(ends_at_, Now() + kExpectedEnd);
}

void ShellWatch::HandleSessionEnd() {
  is_session_over_ = true;
  absl::Status status = session_->status();
  if (!status.ok()) return NoteLoss(status);
  ends_at_ = std::min(ends_at_, Now() + kPowerOff);
}

void ShellWatch::ReadConsole() {
  std::optional<std::string> bytes = ReadSome(guest_->vmm().console_fd());
  is_console_open_ = bytes.has_value();
  if (!is_console_open_ || bytes->empty()) return;
  console_.Append(*bytes);
  if (console_.facts().panic_kind != PanicKind::kNone) {
    ends_at_ = std::min(ends_at_, Now() + kExpectedEnd);
  }
  if (!options_.sends_console) return;
  ktstr::v1::ShellOutput output;
  output.set_console(*std::move(bytes));
  link_->Send(output);
}

void ShellWatch::ReadReport() {
  std::optional<std::string> bytes = ReadSome(guest_->vmm().report_fd());
  is_report_open_ = bytes.has_value();
  if (!is_report_open_) return;
  absl::string_view rest = *bytes;
  for (size_t end; (end = rest.find('\n')) != rest.npos;
       rest.remove_prefix(end + 1)) {
    absl::StrAppend(&report_line_, rest.substr(0, end));
    HandleReportLine(report_line_);
    report_line_.clear();
  }
  if (report_line_.size() < kMaxReportLine)
    absl::StrAppend(&report_line_, rest);
}

void ShellWatch::HandleReportLine(absl::string_view line) {
  auto event = ParseMachineEvent(line);
  if (!event.ok()) {
    stderr_.Append(absl::StrCat(event.status().message(), "\n"));
  } else if (event->name == "end") {
    machine_end_ = event->end;
    machine_end_detail_ = PrintableText(event->detail, 1024);
  }
}

void ShellWatch::ReadStderr() {
  std::optional<std::string> bytes = ReadSome(guest_->vmm().stderr_fd());
  is_stderr_open_ = bytes.has_value();
  if (is_stderr_open_) stderr_.Append(*bytes);
}

void ShellWatch::HandleVmmEnd() {
  auto exit = guest_->vmm().Wait();
  is_vmm_ended_ = true;
  if (exit.ok()) vmm_exit_ = *exit;
  // A process that vmm may have left behind must not hold the pipes open for
  // us: what is in them now is all there is.
  while (is_console_open_) {
    int64_t before = console_.facts().bytes;
    ReadConsole();
    if (console_.facts().bytes == before) break;
  }
  if (is_report_open_) ReadReport();
  if (is_stderr_open_) ReadStderr();
}

ktstr::v1::ShellEnd ShellWatch::Explain() const {
  using ktstr::v1::ShellEnd;
  const ConsoleFacts& facts = console_.facts();
  if (facts.panic_kind != PanicKind::kNone) {
    return MakeEnd(KindOf(facts.panic_kind),
                   absl::StrCat("the guest's kernel panicked: ", facts.panic));
  }
  if (machine_end_ == MachineEnd::kPowerOff) {
    return MakeEnd(ShellEnd::POWERED_OFF, "the guest powered off");
  }
  if (machine_end_ == MachineEnd::kReset) {
    return MakeEnd(ShellEnd::POWERED_OFF,
                   "the guest restarted, which is its end here");
  }
  if (machine_end_ == MachineEnd::kTripleFault) {
    return MakeEnd(ShellEnd::CRASHED, "the guest died of a triple fault");
  }
  if (machine_end_ == MachineEnd::kUnspecified && !is_stop_asked_) {
    return MakeEnd(ShellEnd::FAILED, VmmEnd());
  }
  if (!failure_.empty()) {
    return MakeEnd(
        ShellEnd::FAILED,
        absl::StrCat(failure_,
                     facts.last_line.empty() ? "; its console is empty"
                                             : "; last on its console: ",
                     facts.last_line));
  }
  if (machine_end_ == MachineEnd::kUnspecified) {
    return MakeEnd(ShellEnd::FAILED, VmmEnd());
  }
  return MakeEnd(
      ShellEnd::FAILED,
      absl::StrCat("the machine ended: ", MachineEndName(machine_end_),
                   machine_end_detail_.empty() ? "" : ", ",
                   machine_end_detail_));
}

std::string ShellWatch::VmmEnd() const {
  std::string words = PrintableText(stderr_.text(), 512);
  return absl::StrCat(
      "vmm ended: ", vmm_exit_ ? vmm_exit_->ToString() : "unknown how",
      words.empty() ? "" : ": ", words);
}

}  // namespace ktstr::hostd
