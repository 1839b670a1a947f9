// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_WATCHDOG_OVERRIDE_H_
#define KTSTR_HOSTD_WATCHDOG_OVERRIDE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hostd/guest_ram.h"
#include "proto/attempt.pb.h"

namespace ktstr::hostd {

// Where a kernel keeps what its sched_ext watchdog goes by (kernel/sched/ext.c
// of 6.12): how long a task may wait, and when the watchdog last looked. Both
// are unsigned longs, in jiffies.
struct WatchdogVariables {
  uint64_t timeout_address = 0;    // scx_watchdog_timeout
  uint64_t timestamp_address = 0;  // scx_watchdog_timestamp

  // Errors: those of FindKernelVariablesInFile; NotFound also for a kernel that
  //         keeps them elsewhere.
  static absl::StatusOr<WatchdogVariables> Find(const std::string& vmlinux);
};

// Another time-out for the watchdog of a guest's kernel than its scheduler
// asked for, written into the guest's memory.
//
// The watchdog looks at half of the time-out that was valid when it looked
// last, and each tick ends the scheduler when it has not looked for a whole
// one. A shorter time-out alone would thus end a healthy scheduler before the
// first look, which was planned when it attached: the time of the last look is
// moved to when the next is due. The shorter one then holds from that look on,
// half of the scheduler's own time-out after it attached.
//
// Threads: one at a time.
class WatchdogOverride {
 public:
  // `hz`: ticks a second of the kernel; 0 when nobody knows.
  WatchdogOverride(absl::Duration timeout, int hz,
                   absl::StatusOr<WatchdogVariables> variables)
      : timeout_(timeout), hz_(hz), variables_(std::move(variables)) {}

  // Once the kernel has reported the scheduler attached.
  void Write(absl::StatusOr<GuestRam> ram);

  // Once the test is over, or the machine: memory outlives it. Later calls do
  // nothing.
  void ReadBack();

  // What became of it, as known now.
  ktstr::v1::WatchdogOverride report() const;

 private:
  absl::Status TryWrite();
  absl::Status TryReadBack();

  const absl::Duration timeout_;
  const int hz_;
  const absl::StatusOr<WatchdogVariables> variables_;
  std::optional<GuestRam> ram_;
  absl::Status status_ =
      absl::FailedPreconditionError("the scheduler did not attach");
  std::optional<uint64_t> before_;
  std::optional<uint64_t> written_;
  std::optional<uint64_t> read_;
  // Of the watchdog's last look, when written and when read back.
  uint64_t look_before_ = 0;
  uint64_t look_after_ = 0;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_WATCHDOG_OVERRIDE_H_
