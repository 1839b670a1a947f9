// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/poll.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <vector>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

class PollTest : public testing::Test {
 protected:
  PollTest() : event_(eventfd(0, EFD_CLOEXEC)) {}

  absl::StatusOr<int> Poll(absl::Duration deadline) {
    pollfd fds[] = {{.fd = event_.get(), .events = POLLIN, .revents = 0}};
    return PollUntil(absl::MakeSpan(fds), deadline);
  }

  UniqueFd event_;
};

TEST_F(PollTest, CountsWhatIsReady) {
  eventfd_write(event_.get(), 1);
  EXPECT_THAT(Poll(absl::InfiniteDuration()), IsOkAndHolds(1));
  EXPECT_THAT(Poll(absl::ZeroDuration()), IsOkAndHolds(1));
}

TEST_F(PollTest, AnOldDeadlineJustLooks) {
  EXPECT_THAT(Poll(absl::ZeroDuration()), IsOkAndHolds(0));
  EXPECT_THAT(Poll(-absl::InfiniteDuration()), IsOkAndHolds(0));
}

TEST_F(PollTest, EndsAtTheDeadlineWhateverSignalsArrive) {
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART
  ASSERT_EQ(sigaction(SIGUSR1, &action, nullptr), 0);
  const absl::Duration deadline =
      RealClock().Monotonic() + absl::Milliseconds(50);
  absl::StatusOr<int> ready = -1;
  absl::Duration ended;
  {
    pthread_t poller = pthread_self();
    Thread disturber("disturber", [&] {
      while (RealClock().Monotonic() < deadline) pthread_kill(poller, SIGUSR1);
    });
    ready = Poll(deadline);
    ended = RealClock().Monotonic();
  }
  EXPECT_THAT(ready, IsOkAndHolds(0));
  EXPECT_GE(ended, deadline);
}

TEST_F(PollTest, IsWokenByAnEvent) {
  Thread writer("writer", [this] { eventfd_write(event_.get(), 1); });
  EXPECT_THAT(Poll(absl::InfiniteDuration()), IsOkAndHolds(1));
}

TEST_F(PollTest, RefusesWhatTheKernelRefuses) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit few = limit;
  few.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<pollfd> fds(65, {.fd = -1, .events = 0, .revents = 0});
  EXPECT_THAT(PollUntil(absl::MakeSpan(fds), absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace
}  // namespace ktstr
