// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/child.h"

#include <sched.h>
#include <signal.h>

#include <string>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::StatusIs;

class ChildTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Child>> Start(std::string script) {
    return Child::Start({.argv = {"/bin/sh", "-c", std::move(script)}}, &loop_,
                        {.on_output =
                             [this](absl::string_view bytes) {
                               total_ += bytes.size();
                               if (output_.size() < 4096)
                                 output_ += std::string(bytes);
                             },
                         .on_exit =
                             [this](const ExitStatus& exit) {
                               exit_ = exit;
                               output_at_exit_ = output_;
                             }});
  }
  bool RunToExit() {
    return loop_.RunUntil([this] { return exit_.has_value(); },
                          RealClock().Monotonic() + absl::Seconds(30));
  }

  EventLoop loop_;
  std::string output_;
  std::string output_at_exit_;
  uint64_t total_ = 0;
  absl::optional<ExitStatus> exit_;
};

TEST_F(ChildTest, OutputPrecedesExit) {
  ASSERT_OK_AND_ASSIGN(auto child, Start("echo out; echo err >&2; exit 3"));
  ASSERT_TRUE(RunToExit());
  EXPECT_EQ(output_at_exit_, "out\nerr\n");
  EXPECT_EQ(exit_->code, 3);
  EXPECT_FALSE(child->is_running());
}

TEST_F(ChildTest, ExitDoesNotWaitForADescendantThatHoldsThePipe) {
  ASSERT_OK_AND_ASSIGN(auto child, Start("sleep 1000 & echo done"));
  ASSERT_TRUE(RunToExit());
  EXPECT_EQ(output_at_exit_, "done\n");
}

TEST_F(ChildTest, KillReachesTheGroup) {
  ASSERT_OK_AND_ASSIGN(auto child, Start("sleep 1000 & wait"));
  child->Kill(SIGKILL);
  ASSERT_TRUE(RunToExit());
  EXPECT_EQ(exit_->signal, SIGKILL);
}

TEST_F(ChildTest, FloodIsCutOffButDrained) {
  ASSERT_OK_AND_ASSIGN(
      auto child, Start("dd if=/dev/zero bs=65536 count=1024 2>/dev/null"));
  ASSERT_TRUE(RunToExit());
  EXPECT_TRUE(exit_->ok());
  EXPECT_GT(total_, Child::kMaxOutputBytes);
  EXPECT_LT(total_, Child::kMaxOutputBytes + (128 << 10));
}

TEST_F(ChildTest, RunsInTheOrdinaryClassUnderARealTimeParent) {
  sched_param param = {};
  param.sched_priority = 1;
  if (sched_setscheduler(0, SCHED_FIFO, &param) != 0) {
    GTEST_SKIP() << "needs CAP_SYS_NICE to enter SCHED_FIFO";
  }
  // Field 41 is the policy; the shell forks `cut`, so both resets count.
  auto child = Start("cut -d' ' -f41 /proc/self/stat");
  param.sched_priority = 0;
  sched_setscheduler(0, SCHED_OTHER, &param);
  ASSERT_OK(child);
  ASSERT_TRUE(RunToExit());
  EXPECT_EQ(output_at_exit_, "0\n");
}

TEST_F(ChildTest, MissingProgramIsAnError) {
  auto child = Child::Start({.argv = {"/nonexistent"}}, &loop_, {});
  EXPECT_THAT(child, StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace ktstr::guestd
