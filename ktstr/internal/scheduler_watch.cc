// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/scheduler_watch.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/clock.h"

namespace ktstr::internal {

SchedulerWatch::SchedulerWatch(std::optional<int> pid) {
  if (!pid || *pid <= 0) return;
  pidfd_.Reset(syscall(SYS_pidfd_open, *pid, 0));
  was_dead_ = !pidfd_;
}

bool SchedulerWatch::IsAlive() const {
  return SleepUntil(RealClock().Monotonic());
}

bool SchedulerWatch::SleepUntil(absl::Duration deadline) const {
  if (was_dead_) return false;
  for (;;) {
    absl::Duration left =
        std::max(deadline - RealClock().Monotonic(), absl::ZeroDuration());
    timespec limit = absl::ToTimespec(left);
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    int ready = ppoll(&ended, pidfd_ ? 1 : 0, &limit, nullptr);
    if (ready > 0) return false;
    if (ready == 0) return true;
  }
}

bool SchedulerWatch::AwaitReadable(int fd) const {
  if (was_dead_) return false;
  for (;;) {
    pollfd waited[] = {{.fd = fd, .events = POLLIN, .revents = 0},
                       {.fd = pidfd_.get(), .events = POLLIN, .revents = 0}};
    if (poll(waited, pidfd_ ? 2 : 1, -1) <= 0) continue;
    return waited[0].revents != 0;
  }
}

}  // namespace ktstr::internal
