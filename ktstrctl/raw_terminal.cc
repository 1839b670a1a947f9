// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/raw_terminal.h"

#include <errno.h>
#include <signal.h>
#include <termios.h>

#include <atomic>

#include "absl/status/status.h"

namespace ktstr::ktstrctl {
namespace {

constexpr int kDeadly[] = {SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};

// What a signal handler restores: it can be given nothing else. Written before
// raw_fd is, read after.
termios saved_settings;
std::atomic<int> raw_fd = -1;

void OnDeadly(int number) {
  RawTerminal::RestoreNow();
  // The handler was reset (SA_RESETHAND): this time it ends the process.
  raise(number);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawTerminal>> RawTerminal::Enter(int fd) {
  if (tcgetattr(fd, &saved_settings) != 0) {
    return absl::ErrnoToStatus(errno, "read terminal settings");
  }
  raw_fd.store(fd);
  struct sigaction action = {};
  action.sa_handler = OnDeadly;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (int number : kDeadly) sigaction(number, &action, nullptr);
  signal(SIGTSTP, SIG_IGN);
  std::unique_ptr<RawTerminal> terminal(new RawTerminal());
  termios raw = saved_settings;
  cfmakeraw(&raw);
  if (tcsetattr(fd, TCSADRAIN, &raw) != 0) {
    return absl::ErrnoToStatus(errno, "change terminal settings");
  }
  return terminal;
}

RawTerminal::~RawTerminal() {
  RestoreNow();
  raw_fd.store(-1);
  for (int number : kDeadly) signal(number, SIG_DFL);
  signal(SIGTSTP, SIG_DFL);
}

void RawTerminal::RestoreNow() {
  int fd = raw_fd.load();
  // Not drained: a terminal whose reader is gone would never be.
  if (fd >= 0) tcsetattr(fd, TCSANOW, &saved_settings);
}

}  // namespace ktstr::ktstrctl
