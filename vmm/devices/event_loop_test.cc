// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/event_loop.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;

UniqueFd MakeEventfd(int value = 0) {
  return UniqueFd(eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK));
}

class EventLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = EventLoop::Create();
    ASSERT_OK(loop);
    loop_ = *std::move(loop);
  }
  std::unique_ptr<EventLoop> loop_;
};

TEST_F(EventLoopTest, CallsBackForAReadyDescriptor) {
  UniqueFd fd = MakeEventfd();
  int calls = 0;
  ASSERT_OK(loop_->Watch(fd.get(), EPOLLIN, [&](uint32_t events) {
    EXPECT_EQ(events, EPOLLIN);
    eventfd_t value;
    eventfd_read(fd.get(), &value);
    ++calls;
  }));
  EXPECT_FALSE(loop_->PollOnce(absl::ZeroDuration()));
  eventfd_write(fd.get(), 1);
  EXPECT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_EQ(calls, 1);
  loop_->Unwatch(fd.get());
}

TEST_F(EventLoopTest, CallbackMayUnwatchAnotherReadyDescriptor) {
  UniqueFd a = MakeEventfd(1), b = MakeEventfd(1);
  int calls = 0;
  const auto once = [&](uint32_t) {
    ++calls;
    loop_->Unwatch(a.get());
    loop_->Unwatch(b.get());
  };
  ASSERT_OK(loop_->Watch(a.get(), EPOLLIN, once));
  ASSERT_OK(loop_->Watch(b.get(), EPOLLIN, once));
  EXPECT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ReusedDescriptorNumberGetsNoStaleEvents) {
  UniqueFd a = MakeEventfd(1);
  UniqueFd b = MakeEventfd(1);
  int fresh_calls = 0;
  const auto swap_b = [&](uint32_t) {
    loop_->Unwatch(a.get());
    loop_->Unwatch(b.get());
    // The same number, a descriptor that is not ready.
    const int number = b.get();
    UniqueFd idle = MakeEventfd();
    ASSERT_EQ(dup3(idle.get(), number, O_CLOEXEC), number);
    ASSERT_OK(loop_->Watch(number, EPOLLIN, [&](uint32_t) { ++fresh_calls; }));
  };
  ASSERT_OK(loop_->Watch(a.get(), EPOLLIN, swap_b));
  ASSERT_OK(loop_->Watch(b.get(), EPOLLIN, swap_b));
  EXPECT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_EQ(fresh_calls, 0);
  loop_->Unwatch(b.get());
}

TEST_F(EventLoopTest, ZeroEventsSilencesADescriptor) {
  UniqueFd fd = MakeEventfd(1);
  int calls = 0;
  ASSERT_OK(loop_->Watch(fd.get(), EPOLLIN, [&](uint32_t) { ++calls; }));
  loop_->SetEvents(fd.get(), 0);
  EXPECT_FALSE(loop_->PollOnce(absl::ZeroDuration()));
  loop_->SetEvents(fd.get(), EPOLLIN);
  EXPECT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_EQ(calls, 1);
  loop_->Unwatch(fd.get());
}

TEST_F(EventLoopTest, WatchSaysWhatCannotBeWatched) {
  UniqueFd fd = MakeEventfd();
  ASSERT_OK(loop_->Watch(fd.get(), EPOLLIN, [](uint32_t) {}));
  EXPECT_THAT(loop_->Watch(fd.get(), EPOLLIN, [](uint32_t) {}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  UniqueFd file(fileno(tmpfile()));
  EXPECT_THAT(loop_->Watch(file.get(), EPOLLIN, [](uint32_t) {}),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  loop_->Unwatch(fd.get());
}

TEST_F(EventLoopTest, TimersRunInOrderOfTimeAndOnce) {
  std::vector<int> order;
  loop_->AddTimer(absl::Milliseconds(2), [&] { order.push_back(2); });
  loop_->AddTimer(absl::ZeroDuration(), [&] { order.push_back(0); });
  const auto gone =
      loop_->AddTimer(absl::Milliseconds(1), [&] { order.push_back(1); });
  loop_->CancelTimer(gone);
  while (order.size() < 2) ASSERT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_FALSE(loop_->PollOnce(absl::ZeroDuration()));
  EXPECT_THAT(order, testing::ElementsAre(0, 2));
}

TEST_F(EventLoopTest, PostedTasksAreBounded) {
  int ran = 0;
  for (size_t i = 0; i < EventLoop::kMaxPostedTasks; ++i) {
    ASSERT_OK(loop_->Post([&] { ++ran; }));
  }
  EXPECT_THAT(loop_->Post([] {}),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(loop_->PollOnce(absl::Seconds(10)));
  EXPECT_EQ(ran, static_cast<int>(EventLoop::kMaxPostedTasks));
}

TEST_F(EventLoopTest, RunOnLoopWaitsForTheTask) {
  Thread thread("loop", [&] { loop_->Run(); });
  std::thread::id loop_thread, nested_thread;
  // The first may run here if the thread is not inside yet; afterwards the
  // posted task proves that it is.
  absl::Status inner;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  ASSERT_OK(loop_->Post([&] {
    std::lock_guard inside(mutex);
    loop_thread = std::this_thread::get_id();
    inner =
        loop_->RunOnLoop([&] { nested_thread = std::this_thread::get_id(); });
  }));
  lock.unlock();
  int value = 0;
  while (true) {
    ASSERT_OK(loop_->RunOnLoop([&] { value = 7; }));
    EXPECT_EQ(value, 7);
    std::lock_guard again(mutex);
    if (loop_thread != std::thread::id()) break;
  }
  EXPECT_OK(inner);
  EXPECT_EQ(nested_thread, loop_thread);
  loop_->Stop();
}

TEST_F(EventLoopTest, TaskThatRunsBeforeTheLoopKeepsItOut) {
  std::string order;
  std::optional<Thread> thread;
  ASSERT_OK(loop_->RunOnLoop([&] {
    ASSERT_OK(loop_->Post([&] { order += "posted"; }));
    thread.emplace("loop", [&] { loop_->Run(); });
    // Time enough for a loop that would not wait.
    for (int i = 0; i < 10000; ++i) std::this_thread::yield();
    order += "task, ";
  }));
  ASSERT_OK(loop_->RunOnLoop([] {}));
  loop_->Stop();
  thread->Join();
  EXPECT_THAT(order, ::testing::StartsWith("task, "));
}

TEST_F(EventLoopTest, StopEndsRunAndRefusesMore) {
  Thread thread("loop", [&] { loop_->Run(); });
  loop_->Stop();
  thread.Join();
  EXPECT_THAT(loop_->Post([] {}), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(loop_->RunOnLoop([] {}), StatusIs(absl::StatusCode::kCancelled));
  loop_->Run();
}

}  // namespace
}  // namespace ktstr::vmm
