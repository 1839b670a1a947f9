// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/shell_session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/embedded_fleet.h"
#include "ktstrctl/exit_code.h"
#include "ktstrctl/fleet_client.h"
#include "ktstrctl/interrupts.h"
#include "ktstrctl/key_filter.h"
#include "ktstrctl/progress.h"
#include "ktstrctl/raw_terminal.h"
#include "ktstrctl/shell_stream.h"
#include "ktstrctl/terminal.h"
#include "proto/shells.pb.h"

namespace ktstr::ktstrctl {
namespace {

constexpr size_t kPieceBytes = 16 << 10;
constexpr int kSignalled = 128;

// What a signal ends. The signal thread and the main thread meet here.
class Leaving {
 public:
  Leaving() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  // Readable once somebody wants to leave.
  int fd() const { return event_.get(); }

  // On the signal thread.
  void OnSignal(int count) {
    absl::MutexLock lock(&mutex_);
    if (count == 1 && is_running_) {
      eventfd_write(event_.get(), 1);
      return;
    }
    RawTerminal::RestoreNow();
    if (fleet_ != nullptr) fleet_->KillNow();
    _exit(kExitCancelled);
  }

  void SetFleet(EmbeddedFleet* fleet) {
    absl::MutexLock lock(&mutex_);
    fleet_ = fleet;
  }
  // From here on the main thread listens to fd().
  void SetRunning() {
    absl::MutexLock lock(&mutex_);
    is_running_ = true;
  }

 private:
  const UniqueFd event_;
  absl::Mutex mutex_;
  bool is_running_ ABSL_GUARDED_BY(mutex_) = false;
  EmbeddedFleet* fleet_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

// Becomes readable when the terminal has another size. To be called before any
// thread is started.
UniqueFd WatchWindow() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return UniqueFd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

winsize WindowNow() {
  winsize size = {};
  ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
  return size;
}

bool IsBadInput(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ||
         absl::IsFailedPrecondition(status);
}

// One `ktstrctl shell`. Members are in the order of their making; destruction
// is the reverse.
class Session {
 public:
  Session(const ShellOptions& options, Leaving& leaving, int window_fd)
      : is_interactive_(!options.command.has_value()),
        options_(options),
        leaving_(leaving),
        window_fd_(window_fd),
        progress_({.out = stderr,
                   .terminal = Terminal::Of(STDERR_FILENO),
                   // A command's standard error is its own.
                   .is_quiet = !is_interactive_}) {}

  ~Session() {
    stream_.reset();
    terminal_.reset();
    // Stop() is interruptible by a second signal, the destructor is not.
    if (fleet_ != nullptr) fleet_->Stop();
    leaving_.SetFleet(nullptr);
  }

  int Run() {
    if (is_interactive_ && isatty(STDIN_FILENO) == 0) {
      return Refuse(absl::InvalidArgumentError(
                        "standard input is no terminal; --exec 'COMMAND' needs "
                        "none"),
                    kExitUsage);
    }
    absl::StatusOr<PreparedShell> shell = PrepareShell(options_);
    if (!shell.ok()) return Refuse(shell.status(), kExitUsage);
    if (absl::Status status = Connect(); !status.ok()) {
      return Refuse(status, fleet_is_ours() ? kExitMissed : kExitUsage);
    }
    if (absl::Status status = Open(*shell); !status.ok()) {
      return Refuse(status, kExitMissed);
    }
    return Converse();
  }

 private:
  bool fleet_is_ours() const { return options_.coordinator.empty(); }

  int Refuse(const absl::Status& status, int code) {
    progress_.Clear();
    terminal_.reset();
    return Complain(status, code);
  }

  absl::Status Connect() {
    std::string address = options_.coordinator;
    if (fleet_is_ours()) {
      progress_.Stage("starting a fleet of this machine");
      ABSL_ASSIGN_OR_RETURN(fleet_, EmbeddedFleet::Start([this](auto* fleet) {
                              leaving_.SetFleet(fleet);
                            }));
      address = fleet_->address();
    }
    ABSL_ASSIGN_OR_RETURN(client_, FleetClient::Connect(address));
    return absl::OkStatus();
  }

  absl::Status Open(PreparedShell& shell) {
    ABSL_RETURN_IF_ERROR(
        shell.artifacts
            .UploadMissing(*client_,
                           [this](const Artifacts::Progress& sent) {
                             progress_.Stage(absl::StrFormat(
                                 "uploading: %d of %d MiB (%s)",
                                 sent.sent >> 20, sent.total >> 20, sent.name));
                           })
            .status());
    if (is_interactive_) {
      winsize size = WindowNow();
      v1::WindowSize& window =
          *shell.request->mutable_start()->mutable_window();
      window.set_rows(size.ws_row);
      window.set_columns(size.ws_col);
    }
    leaving_.SetRunning();
    ABSL_ASSIGN_OR_RETURN(stream_,
                          ShellStream::Start(client_.get(), *shell.request,
                                             {.is_raw = is_interactive_}));
    return absl::OkStatus();
  }

  // The exit code, once the shell or the wish for it is over.
  int Converse() {
    while (true) {
      std::vector<pollfd> polled = Wait();
      if (polled[0].revents != 0) {
        stream_->Cancel();
        Restore();
        return kExitCancelled;
      }
      if (polled[1].revents != 0) {
        if (std::optional<int> code = HandleNews()) return *code;
      }
      if (polled[2].revents != 0) HandleWindow();
      if (polled[3].revents != 0 && !HandleInput()) {
        stream_->Cancel();
        Restore();
        return wants_to_leave_ ? kExitPassed : kExitCancelled;
      }
      for (size_t i = 4; i < polled.size(); ++i) {
        if (polled[i].revents == 0) continue;
        stream_->Cancel();
        return Refuse(absl::UnavailableError(fleet_->WhatEnded()), kExitMissed);
      }
    }
  }

  std::vector<pollfd> Wait() {
    bool wants_input = is_started_ && !is_input_over_ && stream_->HasRoom();
    std::vector<pollfd> polled;
    for (int fd : {leaving_.fd(), stream_->fd(),
                   is_started_ && is_interactive_ ? window_fd_ : -1,
                   wants_input ? STDIN_FILENO : -1}) {
      polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
    }
    if (fleet_ != nullptr) {
      for (int fd : fleet_->pidfds()) {
        polled.push_back({.fd = fd, .events = POLLIN, .revents = 0});
      }
    }
    while (poll(polled.data(), polled.size(), -1) < 0 && errno == EINTR) {
    }
    return polled;
  }

  // The exit code, when this was the last.
  std::optional<int> HandleNews() {
    ShellStream::News news = stream_->Take();
    if (!news.progress.empty() && !is_started_) progress_.Stage(news.progress);
    if (news.is_started && !is_started_) {
      is_started_ = true;
      progress_.Clear();
      if (absl::Status status = TakeTerminal(); !status.ok()) {
        return Refuse(status, kExitMissed);
      }
    }
    if (news.is_output_lost) {
      stream_->Cancel();
      Restore();
      // As a program that the pipe's end would have ended.
      return kSignalled + SIGPIPE;
    }
    if (!news.is_over) return std::nullopt;
    if (!news.status.ok()) {
      bool is_ours = fleet_is_ours() && !absl::IsInvalidArgument(news.status);
      return Refuse(news.status, IsBadInput(news.status) && !is_ours
                                     ? kExitUsage
                                     : kExitMissed);
    }
    return ExitCode(news.end);
  }

  int ExitCode(const v1::ShellEnd& end) {
    switch (end.kind()) {
      case v1::ShellEnd::EXITED:
        Restore();
        return end.exit_signal() > 0 ? (kSignalled + end.exit_signal()) & 0xff
                                     : end.exit_code() & 0xff;
      case v1::ShellEnd::POWERED_OFF:
        if (!is_interactive_) break;
        Restore();
        progress_.Note(end.message());
        return kExitPassed;
      case v1::ShellEnd::CRASHED:
        break;
      default:
        return Refuse(absl::UnavailableError(end.message()), kExitMissed);
    }
    return Refuse(absl::AbortedError(end.message()), kExitFailed);
  }

  absl::Status TakeTerminal() {
    if (!is_interactive_) return absl::OkStatus();
    ABSL_ASSIGN_OR_RETURN(terminal_, RawTerminal::Enter(STDIN_FILENO));
    // It may have changed since the request was sent.
    HandleWindow();
    return absl::OkStatus();
  }

  void HandleWindow() {
    signalfd_siginfo ignored;
    while (read(window_fd_, &ignored, sizeof(ignored)) > 0) {
    }
    winsize size = WindowNow();
    stream_->SendWindow(size.ws_row, size.ws_col);
  }

  // False when the conversation is over from this side.
  bool HandleInput() {
    std::string bytes(kPieceBytes, '\0');
    ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (count <= 0) {
      is_input_over_ = true;
      // A terminal that says so is gone.
      if (is_interactive_) return false;
      stream_->SendClosed();
      return true;
    }
    bytes.resize(static_cast<size_t>(count));
    if (!is_interactive_) {
      stream_->SendData(std::move(bytes));
      return true;
    }
    KeyFilter::Result keys = keys_.Feed(bytes);
    wants_to_leave_ = keys.wants_to_leave;
    if (!keys.for_guest.empty()) stream_->SendData(std::move(keys.for_guest));
    return !wants_to_leave_;
  }

  void Restore() {
    progress_.Clear();
    if (terminal_ == nullptr) return;
    terminal_.reset();
    // The guest's cursor may stand anywhere.
    fputs("\n", stderr);
  }

  const bool is_interactive_;
  const ShellOptions& options_;
  Leaving& leaving_;
  const int window_fd_;
  Progress progress_;
  KeyFilter keys_;
  bool wants_to_leave_ = false;
  bool is_started_ = false;
  bool is_input_over_ = false;
  std::unique_ptr<EmbeddedFleet> fleet_;
  std::unique_ptr<FleetClient> client_;
  std::unique_ptr<RawTerminal> terminal_;
  std::unique_ptr<ShellStream> stream_;
};

}  // namespace

int RunShell(const ShellOptions& options) {
  BlockInterrupts();
  UniqueFd window = WatchWindow();
  Leaving leaving;
  absl::StatusOr<std::unique_ptr<Interrupts>> interrupts =
      Interrupts::Start([&leaving](int count) { leaving.OnSignal(count); });
  if (!interrupts.ok()) return Complain(interrupts.status(), kExitMissed);
  Session session(options, leaving, window.get());
  return session.Run();
}

}  // namespace ktstr::ktstrctl
