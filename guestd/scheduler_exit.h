// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SCHEDULER_EXIT_H_
#define KTSTR_GUESTD_SCHEDULER_EXIT_H_

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "proto/outcome.pb.h"

namespace ktstr::guestd {

// Reads from the kernel's messages why it ended a scheduler.
//
// The kernel says, each a message of its own, between which others may stand:
//
//   sched_ext: BPF scheduler "fixture" disabled (runnable task stall)
//   sched_ext: fixture: worker[77] failed to run for 1.020s
//      scx_watchdog_workfn+0x154/0x1e0
//      process_one_work+0x18e/0x3c0
//
// The second line only when there is something to say, the third and following
// after errors only.
//
// Shape:  the first error counts, whatever comes and goes later; without one
//         the last end.
// Trust:  text is bounded and made printable.
// Source: kernel/sched/ext.c 6.12, scx_ops_disable_workfn() and
//         check_rq_for_timeouts(); lib/stacktrace.c, stack_trace_print().
class SchedulerExitReader {
 public:
  static constexpr size_t kMaxTextBytes = 1024;
  static constexpr int kMaxFrames = 64;  // SCX_EXIT_BT_LEN
  static constexpr size_t kMaxFrameBytes = 256;

  // Takes one message. True when it says that a scheduler has ended; what it
  // ended of may follow.
  bool Add(absl::string_view message);

  // Why, as far as it has been said.
  const absl::optional<v1::SchedulerExit>& exit() const { return exit_; }

 private:
  bool Begin(absl::string_view message);
  void AddDetails(absl::string_view text);

  absl::optional<v1::SchedulerExit> exit_;
  // Whether what follows belongs to `exit_`.
  bool is_open_ = false;
};

// The task of "NAME[PID] failed to run for SECONDS.MILLISECONDSs", where NAME
// may be anything; nothing when `message` is not of this form.
absl::optional<v1::StalledTask> ParseStalledTask(absl::string_view message);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SCHEDULER_EXIT_H_
