// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/kernel_messages.h"

#include <sys/socket.h>

#include <string>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Optional;

TEST(ParseKernelMessageTest, TakesTheTextOfTheKernelsRecords) {
  EXPECT_THAT(ParseKernelMessage("3,512,5140900,-;sched_ext: gone\n"),
              Optional(Eq("sched_ext: gone")));
  EXPECT_THAT(ParseKernelMessage("6,339,5140900,-,caller=T1;pci 0000:00\n"
                                 " SUBSYSTEM=pci\n DEVICE=+pci:0000:00\n"),
              Optional(Eq("pci 0000:00")));
  EXPECT_THAT(ParseKernelMessage("4,1,2,-;   frame+0x1/0x2;x"),
              Optional(Eq("   frame+0x1/0x2;x")));
  EXPECT_THAT(ParseKernelMessage("4,1,2,-;a\\x0ab\\x09\\x5cx0a\\x1b\\x0"),
              Optional(Eq("a\nb\t\\x0a\\x1b\\x0")));
}

TEST(ParseKernelMessageTest, NobodyElseIsTheKernel) {
  // 12: facility 1, user.
  for (const char* record :
       {"12,339,5140900,-;sched_ext: forged", "-1,1,1,-;x", "x,1,1,-;x",
        "6,1,1,-", "", ";", "99999999999,1;x"}) {
    EXPECT_EQ(ParseKernelMessage(record), absl::nullopt) << record;
  }
}

class KernelMessagesTest : public ::testing::Test {
 protected:
  KernelMessagesTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         0, fds),
              0);
    kernel_.Reset(fds[0]);
    messages_ = std::make_unique<KernelMessages>(
        UniqueFd(fds[1]), &loop_,
        [this](absl::string_view text) { heard_.emplace_back(text); });
  }
  void Say(const std::string& record) {
    ASSERT_EQ(send(kernel_.get(), record.data(), record.size(), 0),
              static_cast<ssize_t>(record.size()));
  }

  UniqueFd kernel_;
  EventLoop loop_;
  std::vector<std::string> heard_;
  std::unique_ptr<KernelMessages> messages_;
};

TEST_F(KernelMessagesTest, AreEventsOfTheLoop) {
  Say("6,1,1,-;first\n");
  Say("14,2,1,-;by a process\n");
  Say("6,3,1,-;second\n");
  loop_.RunUntil([this] { return heard_.size() == 2; },
                 RealClock().Monotonic() + absl::Seconds(30));
  EXPECT_THAT(heard_, ElementsAre("first", "second"));
}

TEST_F(KernelMessagesTest, DrainDoesNotWait) {
  messages_->Drain();
  Say("6,1,1,-;first\n");
  messages_->Drain();
  EXPECT_THAT(heard_, ElementsAre("first"));
}

}  // namespace
}  // namespace ktstr::guestd
