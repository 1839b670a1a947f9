// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_EVENT_LOOP_H_
#define KTSTR_VMM_DEVICES_EVENT_LOOP_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/unique_fd.h"

namespace ktstr::vmm {

// Where all devices do their work: one thread, one epoll, callbacks that never
// block. The thread is the owner's: it calls Run(), or a test calls PollOnce().
//
// Threads:  "the loop" is whoever is inside Run or PollOnce. Watch, SetEvents,
//           Unwatch, the timers and every callback belong to it, or to the
//           owner while nobody is inside. Post, RunOnLoop and Stop: any thread.
// Lifetime: callbacks borrow their devices; devices unwatch their descriptors
//           in their destructors, after Run has returned and before the loop
//           goes away.
class EventLoop {
 public:
  using FdCallback = std::function<void(uint32_t events)>;
  using Task = std::function<void()>;
  using TimerId = uint64_t;

  // Tasks that may wait to run; more is a peer or a guest gone wild.
  static constexpr size_t kMaxPostedTasks = 4096;

  // Errors: the mapping of errno if the host has no descriptors left.
  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls `callback` for each of `events` (EPOLLIN…, level-triggered; EPOLLERR
  // and EPOLLHUP are always among them) until Unwatch. A callback may watch and
  // unwatch anything, itself included.
  //
  // Lifetime: borrows `fd`; Unwatch before closing it.
  // Errors:
  //   AlreadyExists       `fd` is watched.
  //   FailedPrecondition  `fd` cannot be waited for (a regular file).
  absl::Status Watch(int fd, uint32_t events, FdCallback callback);
  // Changes the events of a watched descriptor; zero leaves errors and hang-up.
  void SetEvents(int fd, uint32_t events);
  // No callback for `fd` starts after this. Unknown descriptors are ignored.
  void Unwatch(int fd);

  // Runs `task` once, `delay` from now. The id is never zero.
  TimerId AddTimer(absl::Duration delay, Task task);
  // Zero and timers that ran are ignored.
  void CancelTimer(TimerId id);

  // Runs `task` on the loop later, in the order of posting.
  //
  // Errors:
  //   ResourceExhausted  kMaxPostedTasks are waiting.
  //   Cancelled          the loop was stopped.
  absl::Status Post(Task task);

  // Runs `task` on the loop and waits until it has run; at once, on the
  // caller's thread, when the caller is the loop or nobody is inside yet;
  // whoever comes to be the loop waits until it is done.
  //
  // Blocks: on the loop, whose callbacks do not block; Stop ends the wait.
  // Errors:
  //   Cancelled          the loop was stopped; the task does not run.
  //   ResourceExhausted  as Post.
  absl::Status RunOnLoop(Task task);

  // Dispatches until Stop. A second Run after Stop returns at once.
  void Run();
  // Waits up to `max_wait` for one round of events and dispatches it. False
  // when nothing happened. For tests.
  bool PollOnce(absl::Duration max_wait);
  // Run returns after the callback it is in; tasks that wait are dropped.
  void Stop();

 private:
  struct Watched {
    uint32_t generation;
    uint32_t events;
    // Shared, because a callback may unwatch itself while it runs.
    std::shared_ptr<FdCallback> callback;
  };
  struct Waiter;
  struct Posted {
    Task task;
    // Of a RunOnLoop call; null for Post.
    std::shared_ptr<Waiter> waiter;
  };

  EventLoop() = default;

  absl::Status Enqueue(Posted posted);
  static void Drop(const Posted& posted);

  void Dispatch(uint64_t key, uint32_t events);
  void RunPosted();
  void RunDueTimers();
  void ArmTimer();
  bool EnterOrStopped();
  void Leave();

  // Constant after construction.
  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd timer_;

  // The loop's.
  std::unordered_map<int, Watched> watched_;
  uint32_t next_generation_ = 1;
  // Due time on CLOCK_MONOTONIC in ns, then id.
  std::map<std::pair<int64_t, TimerId>, Task> timers_;
  TimerId next_timer_ = 1;

  std::atomic<bool> stopped_ = false;

  // Guards what other threads hand over; never held while a task runs.
  Mutex mutex_;
  std::vector<Posted> posted_ ABSL_GUARDED_BY(mutex_);
  std::thread::id inside_ ABSL_GUARDED_BY(mutex_);
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_EVENT_LOOP_H_
