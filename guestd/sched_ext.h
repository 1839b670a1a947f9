// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SCHED_EXT_H_
#define KTSTR_GUESTD_SCHED_EXT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "base/unique_fd.h"
#include "guestd/event_loop.h"
#include "guestd/kernel_messages.h"
#include "guestd/scheduler_exit.h"
#include "proto/outcome.pb.h"

namespace ktstr::guestd {

// What the kernel says about sched_ext.
enum class SchedExtState {
  kUnknown = 0,  // unreadable, or a word this program does not know
  kDisabled,
  kEnabling,
  kEnabled,
  kDisabling,
};

SchedExtState ParseSchedExtState(absl::string_view text);

// Whether a kobject uevent ("add@/kernel/sched_ext/root\0ACTION=add\0...")
// concerns sched_ext.
bool IsSchedExtUevent(absl::string_view message);

// A descriptor on which the kernel's uevents arrive, one datagram each.
absl::StatusOr<UniqueFd> OpenKernelUevents();

// The kernel's view of sched_ext, with its changes as events.
//
// The kernel announces two changes: "add" of sched_ext/root after the state has
// become "enabled", and "remove" while it is "disabling"
// (kernel/sched/ext.c 6.12: scx_ops_enable, scx_ops_disable_workfn). Before the
// latter it says why in its log. The short rest of the way to "disabled" is
// announced by nothing and is rechecked with a growing pause.
//
// Threads: the loop's.
class SchedExt {
 public:
  struct Options {
    std::string dir = "/sys/kernel/sched_ext";
    std::function<absl::StatusOr<UniqueFd>()> open_uevents = OpenKernelUevents;
    // Without them there is no exit().
    std::function<absl::StatusOr<UniqueFd>()> open_messages =
        OpenKernelMessages;
  };

  // Errors:
  //   FailedPrecondition  the kernel has no sched_ext; one sentence.
  //   errno's mapping     uevents cannot be received.
  static absl::StatusOr<std::unique_ptr<SchedExt>> Create(
      const Options& options, EventLoop* loop);
  ~SchedExt();

  SchedExtState ReadState() const;

  // Name of the attached scheduler; empty when there is none.
  std::string ReadOps() const;

  // Why a scheduler has ended since Create(), as far as the kernel has said.
  // EXIT_DONE when none is attached and the kernel has said nothing; nothing
  // when one is, or when the kernel's messages cannot be read.
  absl::optional<v1::SchedulerExit> ReadExit();

  // Called after every announcement, and when the kernel's log says that a
  // scheduler has ended; nullptr for nobody.
  void OnChange(std::function<void()> on_change) {
    on_change_ = std::move(on_change);
  }

  // Runs the loop until no scheduler is attached; false at `deadline`
  // (CLOCK_MONOTONIC).
  bool AwaitDisabled(absl::Duration deadline);

 private:
  SchedExt(std::string dir, UniqueFd uevents, EventLoop* loop);
  void ListenTo(UniqueFd messages);
  void OnUevents();

  const std::string dir_;
  UniqueFd uevents_;
  EventLoop* const loop_;
  std::function<void()> on_change_;
  SchedulerExitReader exit_reader_;
  std::unique_ptr<KernelMessages> messages_;  // fills the above
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SCHED_EXT_H_
