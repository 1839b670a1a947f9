// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/event_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

class EventLoopTest : public ::testing::Test {
 protected:
  EventLoopTest() {
    for (int i = 0; i < 2; ++i) {
      int fds[2];
      EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
      read_[i].Reset(fds[0]);
      write_[i].Reset(fds[1]);
    }
  }
  absl::Duration Soon() { return RealClock().Monotonic() + absl::Seconds(20); }

  UniqueFd read_[2];
  UniqueFd write_[2];
  EventLoop loop_;
};

TEST_F(EventLoopTest, RunsTheHandlerOfWhatIsReady) {
  int first = 0;
  int second = 0;
  loop_.Watch(read_[0].get(), POLLIN, [&] { ++first; });
  loop_.Watch(read_[1].get(), POLLIN, [&] { ++second; });
  ASSERT_EQ(write(write_[1].get(), "x", 1), 1);
  loop_.RunOnce(Soon());
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
}

TEST_F(EventLoopTest, HandlerMayForgetItselfAndOthers) {
  int calls = 0;
  auto handler = [&] {
    ++calls;
    loop_.Forget(read_[0].get());
    loop_.Forget(read_[1].get());
  };
  loop_.Watch(read_[0].get(), POLLIN, handler);
  loop_.Watch(read_[1].get(), POLLIN, handler);
  ASSERT_EQ(write(write_[0].get(), "x", 1), 1);
  ASSERT_EQ(write(write_[1].get(), "x", 1), 1);
  loop_.RunOnce(Soon());
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, HangUpIsReady) {
  bool is_hung_up = false;
  loop_.Watch(read_[0].get(), 0, [&] { is_hung_up = true; });
  write_[0].Reset();
  EXPECT_TRUE(loop_.RunUntil([&] { return is_hung_up; }, Soon()));
}

TEST_F(EventLoopTest, DeadlineEndsTheWait) {
  EXPECT_FALSE(loop_.RunUntil([] { return false; },
                              RealClock().Monotonic() + absl::Milliseconds(5)));
}

}  // namespace
}  // namespace ktstr::guestd
