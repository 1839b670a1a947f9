// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SHELL_H_
#define KTSTR_GUESTD_SHELL_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "guestd/event_loop.h"
#include "model/guest_layout.h"
#include "proto/shell.pb.h"

namespace ktstr::guestd {

struct ShellOptions {
  // Interprets commands and brings the usual tools.
  std::string busybox = kGuestBusyboxPath;
  // Where the tools' names are linked; empty: nowhere.
  std::string applet_dir = "/bin";
  std::string working_dir = "/root";
  // This process is the guest's init: it reaps orphans.
  bool is_init = false;
};

// One shell, interactive on a pseudo-terminal or a command with pipes, from its
// start to its end. What still runs then is left to the end of the machine.
//
// Threads: Run() in the caller's, which must live as long as the shell; one of
//          its own ("shell-input") for what the person types. Whoever is slow
//          is waited for: a host that does not read stops the guest's output, a
//          program that does not read stops the host's input.
class Shell {
 public:
  // Waits for the next message of the host; false when there is none any more.
  using Receive = std::function<bool(v1::ShellInput*)>;
  // False: the host is gone.
  using Emit = std::function<bool(const v1::ShellOutput&)>;

  Shell(ShellOptions options, Receive receive, Emit emit);
  ~Shell();

  // Emits `started`, output and `end`, then waits until Receive says that there
  // is nothing more. When it says so earlier, the shell is killed.
  //
  // Errors:
  //   InvalidArgument  the window is larger than 65,535.
  //   NotFound         busybox is not there.
  //   Cancelled        the host went away before the end.
  //   others           no terminal, no process; the mapping of errno.
  absl::Status Run(const v1::ShellStart& start);

 private:
  absl::StatusOr<CommandSpec> Prepare(const v1::ShellStart& start);
  absl::Status OpenTerminal(const v1::WindowSize& window, CommandSpec& spec);
  absl::Status OpenPipes(CommandSpec& spec);
  void LinkApplets();

  void TakeInput();
  // Writes all, unless nobody reads any more or the shell is over.
  void Deliver(absl::string_view bytes);
  void Resize(const v1::WindowSize& window);
  void CloseInput();

  // False at the end of the stream.
  bool ForwardOutput(int fd, bool is_err);
  void DrainOutput();
  void OnExit();
  void Send(const v1::ShellOutput& output);
  void SendText(absl::string_view text, bool is_err = false);

  const ShellOptions options_;
  const Receive receive_;
  const Emit emit_;
  EventLoop loop_;
  // The child's ends, closed here once it runs.
  UniqueFd child_ends_[3];
  // The terminal's master, or the write end of the command's standard input,
  // which the input thread alone uses and closes.
  UniqueFd input_;
  // Read ends; the terminal has none but its master.
  UniqueFd out_;
  UniqueFd err_;
  bool has_terminal_ = false;
  bool is_host_gone_ = false;
  std::unique_ptr<Subprocess> process_;
  bool has_ended_ = false;

  // Wakes the loop when input is over, and the input thread when the shell is.
  const UniqueFd input_over_;
  const UniqueFd shell_over_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SHELL_H_
