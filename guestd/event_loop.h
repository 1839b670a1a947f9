// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_EVENT_LOOP_H_
#define KTSTR_GUESTD_EVENT_LOOP_H_

#include <functional>
#include <map>

#include "absl/time/time.h"

namespace ktstr::guestd {

// Descriptors and what to do when they are ready, in one thread.
//
// Threads: one; handlers run inside RunOnce() and may call Watch() and
//          Forget(), also for their own descriptor.
class EventLoop {
 public:
  using Handler = std::function<void()>;

  // Calls `on_ready` whenever `fd` (borrowed until Forget) has one of `events`
  // (poll(2)), an error or a hang-up. One watch per descriptor.
  void Watch(int fd, short events, Handler on_ready);

  // Unknown descriptors are ignored.
  void Forget(int fd);

  // Waits until something is ready or `deadline` (CLOCK_MONOTONIC) and runs the
  // handlers of what is ready.
  void RunOnce(absl::Duration deadline);

  // Runs until `is_done()` or `deadline`; the value of is_done() at the end.
  bool RunUntil(const std::function<bool()>& is_done, absl::Duration deadline);

 private:
  struct Watched {
    short events;
    Handler on_ready;
  };
  std::map<int, Watched> watched_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_EVENT_LOOP_H_
