// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/poll.h"

#include <errno.h>
#include <time.h>

#include <algorithm>

#include "base/clock.h"

namespace ktstr {

absl::StatusOr<int> PollUntil(absl::Span<pollfd> fds, absl::Duration deadline) {
  for (;;) {
    const absl::Duration left =
        std::max(deadline - RealClock().Monotonic(), absl::ZeroDuration());
    const timespec limit = absl::ToTimespec(left);
    const int ready =
        ppoll(fds.data(), fds.size(),
              left == absl::InfiniteDuration() ? nullptr : &limit, nullptr);
    if (ready >= 0) return ready;
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
  }
}

}  // namespace ktstr
