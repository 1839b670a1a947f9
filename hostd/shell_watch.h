// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_SHELL_WATCH_H_
#define KTSTR_HOSTD_SHELL_WATCH_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/subprocess.h"
#include "hostd/console.h"
#include "hostd/guest_boot.h"
#include "hostd/shell_link.h"
#include "hostd/shell_session.h"
#include "hostd/text.h"
#include "model/machine_spec.h"
#include "proto/shells.pb.h"

namespace ktstr::hostd {

// Hands the client's messages to the session, as soon as there is one.
//
// Threads: any.
class ShellInlet {
 public:
  void Connect(std::shared_ptr<ShellSession> session);
  // A message without a session is dropped: nothing is typed to a guest that
  // has not started its shell. Blocks: as ShellSession::Send().
  void Forward(const ktstr::v1::ShellInput& input);

 private:
  absl::Mutex mutex_;
  std::shared_ptr<ShellSession> session_ ABSL_GUARDED_BY(mutex_);
};

// Follows the machine of one shell from its start to its end: console, report,
// hello, session, the client's going away.
//
// Shape:   a machine that is to end has 2 s to do so by itself, then it is
//          killed.
// Threads: one; Run polls descriptors and timers only. It waits for a client
//          that does not read its console.
class ShellWatch {
 public:
  struct Options {
    // Of vmm's start to the hello.
    absl::Duration boot_timeout;
    bool sends_console = false;
    ktstr::v1::ShellStart start;
    Clock* clock = nullptr;
  };

  // All outlive the watch.
  ShellWatch(Options options, StartedGuest* guest, ShellLink* link,
             ShellInlet* inlet);

  // How the shell ended, as far as the link has not heard it from the guest.
  //
  // Blocks: until vmm has ended and its pipes are drained.
  ktstr::v1::ShellEnd Run();

 private:
  void Wait();
  absl::Duration NextTimer() const;
  void HandleTimer();
  void HandleHello();
  void HandleSessionEnd();
  void HandleGuestd();
  void NoteLoss(const absl::Status& status);
  void ReadConsole();
  void ReadReport();
  void ReadStderr();
  void HandleVmmEnd();
  void HandleReportLine(absl::string_view line);
  void EndMachine();
  void Fail(std::string message);
  ktstr::v1::ShellEnd Explain() const;
  std::string VmmEnd() const;
  absl::Duration Now() const { return options_.clock->Monotonic(); }

  const Options options_;
  StartedGuest* const guest_;
  ShellLink* const link_;
  ShellInlet* const inlet_;

  bool is_hello_handled_ = false;
  bool is_session_over_ = false;
  bool is_guestd_gone_ = false;
  bool is_vmm_ended_ = false;
  bool is_console_open_ = true;
  bool is_report_open_ = true;
  bool is_stderr_open_ = true;
  // Infinite while the machine may go on.
  absl::Duration ends_at_ = absl::InfiniteDuration();
  bool is_stop_asked_ = false;
  bool is_killed_ = false;
  // Why we ended the machine; empty when we did not, or the client is gone.
  std::string failure_;
  std::string report_line_;
  MachineEnd machine_end_ = MachineEnd::kUnspecified;
  std::string machine_end_detail_;
  std::optional<ExitStatus> vmm_exit_;
  Console console_;
  TailBuffer stderr_;
  std::shared_ptr<ShellSession> session_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_SHELL_WATCH_H_
