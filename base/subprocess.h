// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_SUBPROCESS_H_
#define KTSTR_BASE_SUBPROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace ktstr {

// How a child process ended.
struct ExitStatus {
  int code = 0;    // exit code when `signal` is 0
  int signal = 0;  // terminating signal, 0 for a normal exit

  bool ok() const { return code == 0 && signal == 0; }
  // "exit code 3" or "killed by signal 9 (Killed)".
  std::string ToString() const;
  // From the status word of wait(2).
  static ExitStatus FromWaitStatus(int status);
};

// What to start.
struct CommandSpec {
  // argv[0] is the program; a name without a slash is looked up on PATH.
  std::vector<std::string> argv;
  // "NAME=value" entries added to (or replacing in) the inherited environment.
  std::vector<std::string> extra_env;
  // Working directory; empty inherits.
  std::string working_dir;
  // (parent fd, child fd): made available in the child under the second number.
  // Every descriptor above 2 that is not listed is closed in the child.
  std::vector<std::pair<int, int>> inherited_fds;
  // Own process group, so that Kill() also ends what the child starts.
  bool new_process_group = true;
  // Own session, its controlling terminal being the child's standard input,
  // which must be one; no signal is ignored. Implies a process group.
  bool controls_terminal = false;
  // A child of a real-time thread becomes SCHED_OTHER as soon as it has been
  // executed (and what it forks meanwhile starts so). Until then it keeps the
  // caller's class, so that Start() returns even where ordinary tasks starve.
  bool ordinary_scheduling = false;
  // The kernel sends SIGKILL to the child when the starting *thread* ends.
  bool die_with_parent = true;
  // Called in the parent between fork and exec of the child, which waits until
  // it has returned.
  std::function<void(pid_t)> before_exec;
  // From then to the program's first instruction; a child that is given no CPU
  // does not come that far.
  absl::Duration exec_timeout = absl::InfiniteDuration();
};

// One child process, addressed by pidfd so that a recycled pid is never hit.
//
// Lifetime: the destructor kills (SIGKILL, whole group) and reaps a child that
//           was not waited for; it blocks until the kernel has ended it.
// Threads:  one thread at a time.
class Subprocess {
 public:
  // Errors: the mapping of errno of the failing call; NotFound when the program
  //         cannot be executed; DeadlineExceeded after the exec_timeout.
  static absl::StatusOr<Subprocess> Start(const CommandSpec& spec);

  Subprocess(Subprocess&& other) noexcept;
  Subprocess& operator=(Subprocess&& other) noexcept;
  ~Subprocess();

  pid_t pid() const { return pid_; }
  // Readable (POLLIN) once the child has ended. Borrowed.
  int pidfd() const { return pidfd_.get(); }

  // Sends `signal` to the process group (or the child alone without one).
  absl::Status Kill(int signal);

  // Blocks until the child ends and reaps it; later calls return the same.
  absl::StatusOr<ExitStatus> Wait();

  // As Wait(), for at most `timeout`. DeadlineExceeded leaves it running.
  absl::StatusOr<ExitStatus> WaitFor(absl::Duration timeout);

 private:
  Subprocess() = default;

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  bool has_group_ = false;
  bool is_reaped_ = false;
  ExitStatus exit_;
};

// Output of a finished command.
struct CommandOutput {
  ExitStatus exit;
  std::string out;
  std::string err;
};

// Runs to the end with empty standard input, collecting up to `max_bytes` of
// each stream (more is an error, the child is killed).
//
// Errors: as Start(); DeadlineExceeded after `timeout` (child killed).
absl::StatusOr<CommandOutput> RunCommand(CommandSpec spec,
                                         absl::Duration timeout,
                                         size_t max_bytes = 64u << 20);

}  // namespace ktstr

#endif  // KTSTR_BASE_SUBPROCESS_H_
