// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/event_loop.h"

#include <poll.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace ktstr::guestd {

void EventLoop::Watch(int fd, short events, Handler on_ready) {
  watched_[fd] = {events, std::move(on_ready)};
}

void EventLoop::Forget(int fd) { watched_.erase(fd); }

void EventLoop::RunOnce(absl::Duration deadline) {
  std::vector<pollfd> polled;
  for (const auto& [fd, watched] : watched_) {
    polled.push_back({.fd = fd, .events = watched.events, .revents = 0});
  }
  absl::Duration left = std::clamp(deadline - RealClock().Monotonic(),
                                   absl::ZeroDuration(), absl::Hours(24));
  // Rounded up, or the last fraction of a millisecond would be a busy loop.
  int timeout_ms = static_cast<int>(absl::Ceil(left, absl::Milliseconds(1)) /
                                    absl::Milliseconds(1));
  if (poll(polled.data(), polled.size(), timeout_ms) <= 0) return;
  for (const pollfd& entry : polled) {
    if (entry.revents == 0) continue;
    auto it = watched_.find(entry.fd);
    if (it == watched_.end()) continue;  // forgotten by an earlier handler
    Handler handler = it->second.on_ready;
    handler();
  }
}

bool EventLoop::RunUntil(const std::function<bool()>& is_done,
                         absl::Duration deadline) {
  while (!is_done()) {
    if (RealClock().Monotonic() >= deadline) return false;
    RunOnce(deadline);
  }
  return true;
}

}  // namespace ktstr::guestd
