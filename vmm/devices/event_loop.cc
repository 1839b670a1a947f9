// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/event_loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kWakeKey = ~uint64_t{0};
constexpr uint64_t kTimerKey = ~uint64_t{0} - 1;
constexpr int kEventsPerRound = 64;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

int64_t MonotonicNanos() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNanosPerSecond + now.tv_nsec;
}

uint64_t KeyOf(int fd, uint32_t generation) {
  return (uint64_t{generation} << 32) | static_cast<uint32_t>(fd);
}

absl::Status AddInternal(int epoll, int fd, uint64_t key) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return absl::ErrnoToStatus(errno, "add to the event loop's epoll");
  }
  return absl::OkStatus();
}

}  // namespace

// One RunOnLoop call that waits for its task.
struct EventLoop::Waiter {
  std::mutex mutex;
  std::condition_variable done;
  enum State { kWaiting, kRan, kDropped };
  State state = kWaiting;

  void Finish(State to) {
    std::lock_guard lock(mutex);
    state = to;
    done.notify_all();
  }
};

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  auto loop = std::unique_ptr<EventLoop>(new EventLoop);
  loop->epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  loop->wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  loop->timer_.Reset(
      timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!loop->epoll_ || !loop->wake_ || !loop->timer_) {
    return absl::ErrnoToStatus(errno, "create the event loop's descriptors");
  }
  ABSL_RETURN_IF_ERROR(
      AddInternal(loop->epoll_.get(), loop->wake_.get(), kWakeKey));
  ABSL_RETURN_IF_ERROR(
      AddInternal(loop->epoll_.get(), loop->timer_.get(), kTimerKey));
  return loop;
}

absl::Status EventLoop::Watch(int fd, uint32_t events, FdCallback callback) {
  if (watched_.contains(fd)) {
    return absl::AlreadyExistsError(
        absl::StrCat("descriptor ", fd, " is watched already"));
  }
  const uint32_t generation = next_generation_++ & 0x7fffffff;
  epoll_event event{.events = events, .data = {.u64 = KeyOf(fd, generation)}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    const std::string what = absl::StrCat("watch descriptor ", fd);
    if (errno == EPERM) {
      return absl::FailedPreconditionError(
          absl::StrCat(what, ": it cannot be waited for"));
    }
    return absl::ErrnoToStatus(errno, what);
  }
  watched_[fd] = {generation, events,
                  std::make_shared<FdCallback>(std::move(callback))};
  return absl::OkStatus();
}

void EventLoop::SetEvents(int fd, uint32_t events) {
  auto it = watched_.find(fd);
  if (it == watched_.end() || it->second.events == events) return;
  it->second.events = events;
  epoll_event event{.events = events,
                    .data = {.u64 = KeyOf(fd, it->second.generation)}};
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Unwatch(int fd) {
  if (watched_.erase(fd) == 0) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::AddTimer(absl::Duration delay, Task task) {
  const TimerId id = next_timer_++;
  const int64_t due =
      MonotonicNanos() + std::max<int64_t>(0, absl::ToInt64Nanoseconds(delay));
  timers_.emplace(std::make_pair(due, id), std::move(task));
  ArmTimer();
  return id;
}

void EventLoop::CancelTimer(TimerId id) {
  auto it = std::find_if(timers_.begin(), timers_.end(),
                         [id](const auto& t) { return t.first.second == id; });
  if (it == timers_.end()) return;
  timers_.erase(it);
  ArmTimer();
}

void EventLoop::ArmTimer() {
  itimerspec spec{};
  if (!timers_.empty()) {
    // Zero would disarm: a timer that is due at boot time zero is due now.
    const int64_t due = std::max<int64_t>(1, timers_.begin()->first.first);
    spec.it_value = {.tv_sec = due / kNanosPerSecond,
                     .tv_nsec = due % kNanosPerSecond};
  }
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

void EventLoop::RunDueTimers() {
  uint64_t expirations;
  (void)!read(timer_.get(), &expirations, sizeof(expirations));
  // Only what is due now: a timer that adds itself again waits for the next
  // round.
  const int64_t now = MonotonicNanos();
  std::vector<Task> due;
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    due.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
  ArmTimer();
  for (const Task& task : due) task();
}

absl::Status EventLoop::Enqueue(Posted posted) {
  bool must_wake = false;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) {
      return absl::CancelledError("the event loop was stopped");
    }
    if (posted_.size() >= kMaxPostedTasks) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "post to the event loop: ", kMaxPostedTasks, " tasks wait already"));
    }
    must_wake = posted_.empty();
    posted_.push_back(std::move(posted));
  }
  if (must_wake) eventfd_write(wake_.get(), 1);
  return absl::OkStatus();
}

absl::Status EventLoop::Post(Task task) {
  return Enqueue({.task = std::move(task), .waiter = nullptr});
}

absl::Status EventLoop::RunOnLoop(Task task) {
  bool is_loop = false;
  bool has_entered = false;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) {
      return absl::CancelledError("the event loop was stopped");
    }
    is_loop = inside_ == std::this_thread::get_id();
    has_entered = inside_ == std::thread::id();
    // Who comes to run the loop waits until the task is done.
    if (has_entered) inside_ = std::this_thread::get_id();
  }
  if (is_loop || has_entered) {
    task();
    if (has_entered) Leave();
    return absl::OkStatus();
  }
  auto waiter = std::make_shared<Waiter>();
  ABSL_RETURN_IF_ERROR(Enqueue({.task = std::move(task), .waiter = waiter}));
  std::unique_lock lock(waiter->mutex);
  waiter->done.wait(lock, [&] { return waiter->state != Waiter::kWaiting; });
  return waiter->state == Waiter::kRan
             ? absl::OkStatus()
             : absl::CancelledError("the event loop was stopped");
}

void EventLoop::Drop(const Posted& posted) {
  if (posted.waiter) posted.waiter->Finish(Waiter::kDropped);
}

void EventLoop::RunPosted() {
  eventfd_t count;
  eventfd_read(wake_.get(), &count);
  std::vector<Posted> batch;
  {
    MutexLock lock(&mutex_);
    batch.swap(posted_);
  }
  for (const Posted& posted : batch) {
    if (stopped_.load(std::memory_order_acquire)) {
      Drop(posted);
      continue;
    }
    posted.task();
    if (posted.waiter) posted.waiter->Finish(Waiter::kRan);
  }
}

void EventLoop::Dispatch(uint64_t key, uint32_t events) {
  if (key == kWakeKey) return RunPosted();
  if (key == kTimerKey) return RunDueTimers();
  auto it = watched_.find(static_cast<int>(key & 0xffffffff));
  if (it == watched_.end() || it->second.generation != key >> 32) return;
  const std::shared_ptr<FdCallback> callback = it->second.callback;
  (*callback)(events);
}

bool EventLoop::EnterOrStopped() {
  MutexLock lock(&mutex_);
  mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return inside_ == std::thread::id();
  });
  if (is_stopped_) return true;
  inside_ = std::this_thread::get_id();
  return false;
}

void EventLoop::Leave() {
  MutexLock lock(&mutex_);
  inside_ = std::thread::id();
}

void EventLoop::Run() {
  if (EnterOrStopped()) return;
  while (!stopped_.load(std::memory_order_acquire)) {
    epoll_event events[kEventsPerRound];
    const int n = epoll_wait(epoll_.get(), events, kEventsPerRound, -1);
    for (int i = 0; i < n; ++i) {
      if (stopped_.load(std::memory_order_acquire)) break;
      Dispatch(events[i].data.u64, events[i].events);
    }
  }
  Leave();
}

bool EventLoop::PollOnce(absl::Duration max_wait) {
  if (EnterOrStopped()) return false;
  epoll_event events[kEventsPerRound];
  const int n = epoll_wait(epoll_.get(), events, kEventsPerRound,
                           static_cast<int>(absl::ToInt64Milliseconds(
                               std::min(max_wait, absl::Hours(1)))));
  for (int i = 0; i < n; ++i) Dispatch(events[i].data.u64, events[i].events);
  Leave();
  return n > 0;
}

void EventLoop::Stop() {
  std::vector<Posted> dropped;
  {
    MutexLock lock(&mutex_);
    is_stopped_ = true;
    dropped.swap(posted_);
  }
  stopped_.store(true, std::memory_order_release);
  eventfd_write(wake_.get(), 1);
  for (const Posted& posted : dropped) Drop(posted);
}

}  // namespace ktstr::vmm
