// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/poll.h"
#include "base/status_macros.h"

extern char** environ;

namespace ktstr {
namespace {

constexpr int kReportFd = 3;  // where the child reports a failed exec

// Everything the child needs, computed before fork: between fork and exec only
// async-signal-safe calls are allowed.
struct Prepared {
  std::vector<std::string> environment;
  std::vector<char*> argv;
  std::vector<char*> envp;
};

Prepared Prepare(const CommandSpec& spec) {
  Prepared prepared;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::string_view name = absl::string_view(*entry);
    name = name.substr(0, name.find('=') + 1);
    bool is_replaced = std::any_of(spec.extra_env.begin(), spec.extra_env.end(),
                                   [name](const std::string& extra) {
                                     return absl::string_view(extra).substr(
                                                0, name.size()) == name;
                                   });
    if (!is_replaced) prepared.environment.push_back(*entry);
  }
  prepared.environment.insert(prepared.environment.end(),
                              spec.extra_env.begin(), spec.extra_env.end());
  for (const std::string& arg : spec.argv) {
    prepared.argv.push_back(const_cast<char*>(arg.c_str()));
  }
  prepared.argv.push_back(nullptr);
  for (std::string& entry : prepared.environment) {
    prepared.envp.push_back(entry.data());
  }
  prepared.envp.push_back(nullptr);
  return prepared;
}

[[noreturn]] void FailChild(int report_fd) {
  int error = errno;
  ssize_t ignored = write(report_fd, &error, sizeof(error));
  (void)ignored;
  _exit(127);
}

// Moves the inherited descriptors to their numbers. Two passes, through numbers
// above every target, so that no target overwrites a source.
int PlaceFds(const CommandSpec& spec, int report_fd) {
  int floor = kReportFd + 1;
  for (const auto& [from, to] : spec.inherited_fds) {
    floor = std::max(floor, to + 1);
  }
  int report = fcntl(report_fd, F_DUPFD_CLOEXEC, floor);
  int high[64];
  size_t count = std::min<size_t>(spec.inherited_fds.size(), 64);
  for (size_t i = 0; i < count; ++i) {
    high[i] = fcntl(spec.inherited_fds[i].first, F_DUPFD_CLOEXEC, floor);
    if (high[i] < 0) FailChild(report);
  }
  syscall(SYS_close_range, 3, floor - 1, 0);
  for (size_t i = 0; i < count; ++i) {
    if (dup2(high[i], spec.inherited_fds[i].second) < 0) FailChild(report);
  }
  constexpr unsigned kCloseOnExec = 1u << 2;  // CLOSE_RANGE_CLOEXEC
  syscall(SYS_close_range, floor, ~0u, kCloseOnExec);
  return report;
}

// The parent's end of `hold_fd` closes when it lets the child go on.
void AwaitParent(int hold_fd) {
  char ignored;
  while (read(hold_fd, &ignored, 1) < 0 && errno == EINTR) {
  }
}

[[noreturn]] void RunChild(const CommandSpec& spec, Prepared& prepared,
                           int report_fd, int hold_fd, pid_t parent) {
  if (spec.before_exec) AwaitParent(hold_fd);
  if (spec.controls_terminal) {
    setsid();
    // Whoever started us may ignore what terminals send.
    for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  } else if (spec.new_process_group) {
    setpgid(0, 0);
  }
  if (spec.die_with_parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  int report = PlaceFds(spec, report_fd);
  if (spec.controls_terminal && ioctl(0, TIOCSCTTY, 0) != 0) FailChild(report);
  if (!spec.working_dir.empty() && chdir(spec.working_dir.c_str()) != 0) {
    FailChild(report);
  }
  if (spec.ordinary_scheduling) {
    sched_param param = {};
    int policy = sched_getscheduler(0);
    sched_getparam(0, &param);
    sched_setscheduler(0, policy | SCHED_RESET_ON_FORK, &param);
  }
  execvpe(prepared.argv[0], prepared.argv.data(), prepared.envp.data());
  FailChild(report);
}

// When `timeout` from now is over.
absl::Duration After(absl::Duration timeout) {
  return RealClock().Monotonic() + timeout;
}

// Whether `fd` becomes readable, or its other end is closed.
absl::StatusOr<bool> AwaitReadable(int fd, absl::Duration deadline) {
  pollfd awaited[] = {{.fd = fd, .events = POLLIN, .revents = 0}};
  ABSL_ASSIGN_OR_RETURN(int ready,
                        PollUntil(absl::MakeSpan(awaited), deadline));
  return ready > 0;
}

}  // namespace

std::string ExitStatus::ToString() const {
  if (signal != 0) {
    return absl::StrCat("killed by signal ", signal, " (", strsignal(signal),
                        ")");
  }
  return absl::StrCat("exit code ", code);
}

ExitStatus ExitStatus::FromWaitStatus(int status) {
  ExitStatus exit;
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
  } else {
    exit.code = WEXITSTATUS(status);
  }
  return exit;
}

absl::StatusOr<Subprocess> Subprocess::Start(const CommandSpec& spec) {
  if (spec.argv.empty()) return absl::InvalidArgumentError("empty command");
  if (spec.inherited_fds.size() > 64) {
    return absl::InvalidArgumentError("more than 64 inherited descriptors");
  }
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd report_read(report[0]);
  UniqueFd report_write(report[1]);
  UniqueFd hold_read;
  UniqueFd hold_write;
  if (spec.before_exec) {
    int hold[2];
    if (pipe2(hold, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
    hold_read.Reset(hold[0]);
    hold_write.Reset(hold[1]);
  }
  Prepared prepared = Prepare(spec);
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork");
  if (pid == 0) {
    hold_write.Reset();
    RunChild(spec, prepared, report_write.get(), hold_read.get(), parent);
  }
  report_write.Reset();
  if (spec.before_exec) {
    spec.before_exec(pid);
    hold_write.Reset();
  }

  Subprocess child;
  child.pid_ = pid;
  child.has_group_ = spec.new_process_group || spec.controls_terminal;
  child.pidfd_.Reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  // Both sides set the group, so that it exists whoever runs first. A session
  // is the child's own doing, which a group made here would prevent.
  if (spec.new_process_group && !spec.controls_terminal) setpgid(pid, pid);
  if (!AwaitReadable(report_read.get(), After(spec.exec_timeout))
           .value_or(true)) {
    child.Kill(SIGKILL).IgnoreError();
    child.Wait().IgnoreError();
    return absl::DeadlineExceededError(
        absl::StrCat("start ", spec.argv[0], ": it did not come to run within ",
                     absl::FormatDuration(spec.exec_timeout)));
  }
  int error = 0;
  ssize_t count;
  do {
    count = read(report_read.get(), &error, sizeof(error));
  } while (count < 0 && errno == EINTR);
  if (count == sizeof(error)) {
    child.Wait().IgnoreError();
    return absl::ErrnoToStatus(error, absl::StrCat("start ", spec.argv[0]));
  }
  if (!child.pidfd_) return absl::ErrnoToStatus(errno, "pidfd_open");
  if (spec.ordinary_scheduling) {
    sched_param param = {};
    sched_setscheduler(pid, SCHED_OTHER, &param);
  }
  return child;
}

Subprocess::Subprocess(Subprocess&& other) noexcept {
  *this = std::move(other);
}

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(has_group_, other.has_group_);
  std::swap(is_reaped_, other.is_reaped_);
  std::swap(exit_, other.exit_);
  return *this;
}

Subprocess::~Subprocess() {
  if (pid_ <= 0) return;
  // The group outlives its leader; end what the child left behind as well. The
  // pid cannot be recycled before it is reaped below.
  if (!is_reaped_) {
    Kill(SIGKILL).IgnoreError();
    Wait().IgnoreError();
  }
}

absl::Status Subprocess::Kill(int signal) {
  if (is_reaped_) return absl::OkStatus();
  int result =
      has_group_ ? kill(-pid_, signal)
                 : static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd_.get(),
                                            signal, nullptr, 0));
  if (result != 0 && errno != ESRCH) return absl::ErrnoToStatus(errno, "kill");
  return absl::OkStatus();
}

absl::StatusOr<ExitStatus> Subprocess::Wait() {
  return WaitFor(absl::InfiniteDuration());
}

absl::StatusOr<ExitStatus> Subprocess::WaitFor(absl::Duration timeout) {
  if (is_reaped_) return exit_;
  if (timeout != absl::InfiniteDuration()) {
    ABSL_ASSIGN_OR_RETURN(bool has_ended,
                          AwaitReadable(pidfd_.get(), After(timeout)));
    if (!has_ended) {
      return absl::DeadlineExceededError(
          absl::StrCat("process ", pid_, " still running"));
    }
  }
  int status = 0;
  pid_t waited;
  do {
    waited = waitpid(pid_, &status, 0);
  } while (waited < 0 && errno == EINTR);
  if (waited < 0) return absl::ErrnoToStatus(errno, "waitpid");
  is_reaped_ = true;
  exit_ = ExitStatus::FromWaitStatus(status);
  return exit_;
}

absl::StatusOr<CommandOutput> RunCommand(CommandSpec spec,
                                         absl::Duration timeout,
                                         size_t max_bytes) {
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd readers[2] = {UniqueFd(out[0]), UniqueFd()};
  UniqueFd out_write(out[1]);
  if (pipe2(err, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  readers[1].Reset(err[0]);
  UniqueFd err_write(err[1]);
  spec.inherited_fds.insert(
      spec.inherited_fds.end(),
      {{null.get(), 0}, {out_write.get(), 1}, {err_write.get(), 2}});
  ABSL_ASSIGN_OR_RETURN(Subprocess child, Subprocess::Start(spec));
  out_write.Reset();
  err_write.Reset();

  CommandOutput output;
  std::string* texts[2] = {&output.out, &output.err};
  const absl::Duration deadline = After(timeout);
  while (readers[0].is_valid() || readers[1].is_valid()) {
    pollfd polled[2];
    for (int i = 0; i < 2; ++i) {
      polled[i] = {.fd = readers[i].get(), .events = POLLIN, .revents = 0};
    }
    ABSL_ASSIGN_OR_RETURN(int ready,
                          PollUntil(absl::MakeSpan(polled), deadline));
    // One that never stops printing is always ready.
    if (ready == 0 || RealClock().Monotonic() >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          spec.argv[0], " did not finish in ", absl::FormatDuration(timeout)));
    }
    for (int i = 0; i < 2; ++i) {
      if (polled[i].revents == 0) continue;
      char buffer[65536];
      ssize_t count = read(readers[i].get(), buffer, sizeof(buffer));
      if (count > 0) texts[i]->append(buffer, count);
      if (count == 0 || (count < 0 && errno != EINTR)) readers[i].Reset();
      if (texts[i]->size() > max_bytes) {
        return absl::ResourceExhaustedError(absl::StrCat(
            spec.argv[0], " printed more than ", max_bytes, " bytes"));
      }
    }
  }
  ABSL_ASSIGN_OR_RETURN(output.exit,
                        child.WaitFor(deadline - RealClock().Monotonic()));
  return output;
}

}  // namespace ktstr
