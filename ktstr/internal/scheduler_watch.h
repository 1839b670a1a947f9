// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_SCHEDULER_WATCH_H_
#define KTSTR_KTSTR_INTERNAL_SCHEDULER_WATCH_H_

#include <optional>

#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace ktstr::internal {

// Whether the scheduler process lives, by pidfd: a zombie counts as dead.
class SchedulerWatch {
 public:
  // Unset (or not positive): there is no process to watch and it never dies.
  explicit SchedulerWatch(std::optional<int> pid);

  bool IsAlive() const;

  // Waits until `deadline` on the clock of RealClock().Monotonic(). False as
  // soon as the process is dead.
  bool SleepUntil(absl::Duration deadline) const;

  // Waits until `fd` is readable. False when the process died before.
  bool AwaitReadable(int fd) const;

 private:
  UniqueFd pidfd_;
  bool was_dead_ = false;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_SCHEDULER_WATCH_H_
