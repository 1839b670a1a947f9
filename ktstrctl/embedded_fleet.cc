// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/embedded_fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstrctl/libexec.h"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

constexpr absl::Duration kStopTimeout = absl::Seconds(10);
constexpr absl::Duration kKillTimeout = absl::Seconds(2);
constexpr uint64_t kMaxLogBytes = 16u << 20;
constexpr int kReadyFd = 3;

int PollMilliseconds(absl::Duration left) {
  return static_cast<int>(std::clamp<int64_t>(
      absl::ToInt64Milliseconds(left + absl::Milliseconds(1)), 0, 1 << 30));
}

void SignalPidfd(int pidfd, int signal) {
  syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
}

// Whether the process ended within the time.
bool AwaitEnd(int pidfd, absl::Duration timeout) {
  absl::Duration deadline = RealClock().Monotonic() + timeout;
  while (true) {
    pollfd waited = {.fd = pidfd, .events = POLLIN, .revents = 0};
    int ready =
        poll(&waited, 1, PollMilliseconds(deadline - RealClock().Monotonic()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

void EndByPidfd(int pidfd, absl::Duration patience) {
  SignalPidfd(pidfd, SIGTERM);
  if (AwaitEnd(pidfd, patience)) return;
  SignalPidfd(pidfd, SIGKILL);
  AwaitEnd(pidfd, kKillTimeout);
}

}  // namespace

EmbeddedFleet::EmbeddedFleet(RunDirectory directory)
    : directory_(std::move(directory)),
      address_(absl::StrCat("unix:", directory_.path(), "/fleet.sock")) {}

absl::StatusOr<std::unique_ptr<EmbeddedFleet>> EmbeddedFleet::Start(
    const std::function<void(EmbeddedFleet*)>& on_made,
    absl::Duration timeout) {
  // Before the directory, so that a missing program leaves nothing to remove.
  for (const char* name : {"coordinator", "hostd", "vmm", "guestd"}) {
    ABSL_RETURN_IF_ERROR(FindProgramOfOurs(name).status());
  }
  ABSL_ASSIGN_OR_RETURN(RunDirectory directory, RunDirectory::Create());
  std::unique_ptr<EmbeddedFleet> fleet(new EmbeddedFleet(std::move(directory)));
  on_made(fleet.get());
  absl::Status started = fleet->StartBoth(timeout);
  if (started.ok()) return fleet;
  fleet->Stop();
  on_made(nullptr);
  return started;
}

absl::Status EmbeddedFleet::StartBoth(absl::Duration timeout) {
  const std::string& dir = directory_.path();
  ABSL_RETURN_IF_ERROR(StartChild(
      coordinator_, "coordinator",
      {"--listen", address_, "--data", JoinPath(dir, "data")}, timeout));
  return StartChild(
      hostd_, "hostd",
      {"--coordinator", address_, "--run-dir", JoinPath(dir, "host")}, timeout);
}

std::string EmbeddedFleet::LogPath(absl::string_view name) const {
  return JoinPath(directory_.path(), absl::StrCat(name, ".log"));
}

std::string EmbeddedFleet::EndOfLog(absl::string_view name) const {
  absl::StatusOr<std::string> log = ReadFile(LogPath(name), kMaxLogBytes);
  if (!log.ok()) return "";
  std::vector<std::string> lines = results::LastLines(*log, 2);
  return lines.empty() ? ""
                       : absl::StrCat(" (", absl::StrJoin(lines, " | "), ")");
}

absl::Status EmbeddedFleet::StartChild(std::optional<Child>& child,
                                       const std::string& name,
                                       std::vector<std::string> args,
                                       absl::Duration timeout) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd ready(ends[0]);
  UniqueFd ready_writer(ends[1]);
  CommandSpec spec;
  ABSL_ASSIGN_OR_RETURN(std::string program, FindProgramOfOurs(name));
  spec.argv = {program, "--exit-with-parent", "--ready-fd",
               absl::StrCat(kReadyFd)};
  spec.argv.insert(spec.argv.end(), args.begin(), args.end());
  ABSL_ASSIGN_OR_RETURN(UniqueFd null, OpenFile("/dev/null", O_RDONLY));
  ABSL_ASSIGN_OR_RETURN(
      UniqueFd log,
      OpenFile(LogPath(name), O_WRONLY | O_CREAT | O_APPEND, 0600));
  spec.inherited_fds = {{null.get(), 0},
                        {log.get(), 1},
                        {log.get(), 2},
                        {ready_writer.get(), kReadyFd}};
  // --exit-with-parent is gentler: the child cleans up behind itself.
  spec.die_with_parent = false;
  {
    // KillNow() sees each child from its first moment on.
    absl::MutexLock lock(&mutex_);
    ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(spec));
    kill_fds_.emplace_back(fcntl(process.pidfd(), F_DUPFD_CLOEXEC, 0));
    child.emplace(Child{name, std::move(process)});
  }
  ready_writer.Reset();
  return AwaitReady(*child, ready.get(), timeout);
}

// The child writes something to the descriptor when it serves.
absl::Status EmbeddedFleet::AwaitReady(Child& child, int ready_fd,
                                       absl::Duration timeout) {
  absl::Duration deadline = RealClock().Monotonic() + timeout;
  pollfd waited = {.fd = ready_fd, .events = POLLIN, .revents = 0};
  int ready;
  do {
    ready =
        poll(&waited, 1, PollMilliseconds(deadline - RealClock().Monotonic()));
  } while (ready < 0 && errno == EINTR);
  char byte;
  if (ready > 0 && read(ready_fd, &byte, 1) == 1) return absl::OkStatus();
  absl::StatusOr<ExitStatus> exit =
      child.process.WaitFor(ready > 0 ? kKillTimeout : absl::ZeroDuration());
  return absl::UnavailableError(absl::StrCat(
      "embedded ", child.name,
      exit.ok() ? absl::StrCat(" ended at once: ", exit->ToString())
                : absl::StrCat(" was not ready in time (",
                               absl::FormatDuration(timeout), ")"),
      EndOfLog(child.name)));
}

std::vector<int> EmbeddedFleet::pidfds() const {
  std::vector<int> fds;
  for (const std::optional<Child>* child : {&coordinator_, &hostd_}) {
    if (child->has_value()) fds.push_back((*child)->process.pidfd());
  }
  return fds;
}

std::string EmbeddedFleet::WhatEnded() {
  for (std::optional<Child>* child : {&coordinator_, &hostd_}) {
    if (!child->has_value()) continue;
    absl::StatusOr<ExitStatus> exit =
        (*child)->process.WaitFor(absl::ZeroDuration());
    if (exit.ok()) {
      return absl::StrCat("embedded ", (*child)->name,
                          " ended: ", exit->ToString(),
                          EndOfLog((*child)->name));
    }
  }
  return "";
}

void EmbeddedFleet::SaveLogs(const std::string& dir) const {
  for (const char* name : {"coordinator", "hostd"}) {
    absl::StatusOr<std::string> log = ReadFile(LogPath(name), kMaxLogBytes);
    if (!log.ok() || log->empty()) continue;
    WriteFileAtomically(JoinPath(dir, absl::StrCat(name, ".log")), *log)
        .IgnoreError();
  }
}

void EmbeddedFleet::Stop() {
  if (hostd_) EndByPidfd(hostd_->process.pidfd(), kStopTimeout);
  // Killed, reaped, its group ended. The coordinator needs no goodbye: it may
  // die at any instruction, and all it has is in the directory that goes now.
  hostd_.reset();
  coordinator_.reset();
  directory_.Remove();
}

void EmbeddedFleet::KillNow() {
  absl::MutexLock lock(&mutex_);
  for (const UniqueFd& pidfd : kill_fds_) SignalPidfd(pidfd.get(), SIGTERM);
  for (const UniqueFd& pidfd : kill_fds_) {
    EndByPidfd(pidfd.get(), kKillTimeout);
  }
  directory_.Remove();
}

}  // namespace ktstr::ktstrctl
