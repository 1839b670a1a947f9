// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/scheduler_control.h"

#include <sys/socket.h>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/test_frame.pb.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Both ends of the socket; the test is guestd.
class SchedulerControlTest : public ::testing::Test {
 protected:
  SchedulerControlTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    mine_.Reset(fds[0]);
    its_.Reset(fds[1]);
  }

  // Answers one request with `packet` and remembers it.
  Thread Answer(std::string packet) {
    return Thread("guestd", [this, packet] {
      char bytes[4096];
      ssize_t count = recv(its_.get(), bytes, sizeof(bytes), 0);
      EXPECT_GT(count, 0);
      EXPECT_TRUE(asked_.ParseFromArray(bytes, static_cast<int>(count)));
      EXPECT_EQ(send(its_.get(), packet.data(), packet.size(), 0),
                static_cast<ssize_t>(packet.size()));
    });
  }

  static std::string Packet(int code, const std::string& message, int pid) {
    v1::ControlResponse response;
    response.set_is_answer(true);
    response.set_code(code);
    response.set_message(message);
    response.set_scheduler_pid(pid);
    return response.SerializeAsString();
  }

  UniqueFd mine_;
  UniqueFd its_;
  v1::ControlRequest asked_;
};

TEST_F(SchedulerControlTest, DetachingLeavesNoPid) {
  auto control = MakeSchedulerControl(mine_.get(), 12);
  EXPECT_EQ(control->pid(), 12);
  Thread guestd = Answer(Packet(0, "", 0));
  EXPECT_OK(control->Detach());
  guestd.Join();
  EXPECT_EQ(asked_.action(), v1::ControlRequest::DETACH);
  EXPECT_EQ(control->pid(), std::nullopt);
}

TEST_F(SchedulerControlTest, ArgumentsGoAlongWhole) {
  auto control = MakeSchedulerControl(mine_.get(), std::nullopt);
  Thread guestd = Answer(Packet(0, "", 34));
  EXPECT_OK(control->Attach(std::vector<std::string>{"--a b", ""}));
  guestd.Join();
  EXPECT_EQ(asked_.action(), v1::ControlRequest::ATTACH);
  EXPECT_TRUE(asked_.has_args());
  EXPECT_THAT(asked_.args(), ElementsAre("--a b", ""));
  EXPECT_EQ(control->pid(), 34);
}

TEST_F(SchedulerControlTest, RefusalsKeepCodeAndWords) {
  auto control = MakeSchedulerControl(mine_.get(), 12);
  Thread guestd = Answer(Packet(10, "it has ended by itself", 12));
  EXPECT_THAT(control->Replace(std::nullopt),
              StatusIs(absl::StatusCode::kAborted, "it has ended by itself"));
  guestd.Join();
  EXPECT_FALSE(asked_.has_args());
  EXPECT_EQ(control->pid(), 12);
}

TEST_F(SchedulerControlTest, NobodyAnswers) {
  auto control = MakeSchedulerControl(mine_.get(), 12);
  Thread guestd = Answer("\xff\xff");
  EXPECT_THAT(control->Detach(), StatusIs(absl::StatusCode::kUnavailable,
                                          HasSubstr("it talks nonsense")));
  guestd.Join();
  its_.Reset();
  EXPECT_THAT(control->Detach(), StatusIs(absl::StatusCode::kUnavailable,
                                          HasSubstr("does not answer")));
}

TEST_F(SchedulerControlTest, TooMuchIsNotSent) {
  auto control = MakeSchedulerControl(mine_.get(), 12);
  EXPECT_THAT(
      control->Replace(std::vector<std::string>{std::string(70'000, 'x')}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("more than 65536")));
}

}  // namespace
}  // namespace ktstr::internal
