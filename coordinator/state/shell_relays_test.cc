// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/state/shell_relays.h"

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/mutex.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ShellRelayTest : public ::testing::Test {
 protected:
  ShellRelayTest() {
    relay_.OpenClient(
        [this](const v1::ShellOutput& output) {
          to_client_.push_back(output);
          return true;
        },
        [this] { ++client_cancels_; });
    relay_.SetHost("h1");
  }
  absl::Status OpenHost() {
    return relay_.OpenHost([](const v1::ShellInput&) { return true; },
                           [this] { ++host_cancels_; });
  }
  static v1::ShellOutput End() {
    v1::ShellOutput output;
    output.mutable_end()->set_kind(v1::ShellEnd::EXITED);
    return output;
  }

  ShellRelay relay_;
  std::vector<v1::ShellOutput> to_client_;
  int client_cancels_ = 0;
  int host_cancels_ = 0;
};

TEST_F(ShellRelayTest, HostThatComesTooLateIsSentAway) {
  EXPECT_THAT(relay_.AwaitHost(absl::ZeroDuration()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("h1")));
  EXPECT_THAT(OpenHost(), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ShellRelayTest, FinishedShellCancelsNobody) {
  ASSERT_OK(OpenHost());
  ASSERT_OK(relay_.AwaitHost(absl::ZeroDuration()));
  relay_.SendToClient(End());
  relay_.CloseClient();
  relay_.CloseHost();
  EXPECT_THAT(to_client_, SizeIs(1));
  EXPECT_EQ(client_cancels_ + host_cancels_, 0);
}

TEST_F(ShellRelayTest, NothingComesBehindAnEnd) {
  ASSERT_OK(OpenHost());
  relay_.SendToClient(End());
  relay_.SendToClient(End());
  relay_.CloseHost();
  EXPECT_THAT(to_client_, SizeIs(1));
}

TEST_F(ShellRelayTest, UnfinishedShellCancelsTheHost) {
  ASSERT_OK(OpenHost());
  relay_.CloseClient();
  EXPECT_EQ(host_cancels_, 1);
  relay_.SendToClient(End());
  EXPECT_THAT(to_client_, IsEmpty());
}

TEST_F(ShellRelayTest, LostHostBecomesAnEnd) {
  ASSERT_OK(OpenHost());
  relay_.CloseHost();
  ASSERT_THAT(to_client_, SizeIs(1));
  EXPECT_EQ(to_client_[0].end().kind(), v1::ShellEnd::FAILED);
  EXPECT_FALSE(relay_.SendToHost({}));
}

TEST_F(ShellRelayTest, StopEndsTheWaitAndBothStreams) {
  Thread waiting("waiting", [this] {
    EXPECT_THAT(relay_.AwaitHost(absl::Minutes(1)),
                StatusIs(absl::StatusCode::kUnavailable));
  });
  relay_.Stop();
  waiting.Join();
  EXPECT_EQ(client_cancels_, 1);
}

TEST(RelaySinkTest, CloseWaitsForTheWriteUnderWay) {
  RelaySink<v1::ShellInput> sink;
  Mutex mutex;
  bool has_entered = false, may_leave = false;
  std::vector<std::string> order;
  sink.Open([&](const v1::ShellInput&) {
    MutexLock lock(&mutex);
    has_entered = true;
    mutex.Await([&] { return may_leave; });
    order.push_back("written");
    return true;
  });
  Thread writer("writer", [&] { EXPECT_TRUE(sink.Send({})); });
  {
    MutexLock lock(&mutex);
    mutex.Await([&] { return has_entered; });
  }
  Thread closer("closer", [&] {
    sink.Close();
    MutexLock lock(&mutex);
    order.push_back("closed");
  });
  {
    MutexLock lock(&mutex);
    may_leave = true;
  }
  closer.Join();
  writer.Join();
  EXPECT_THAT(order, ElementsAre("written", "closed"));
  EXPECT_FALSE(sink.Send({}));
}

TEST(ShellRelaysTest, KeepsNothingAfterStop) {
  ShellRelays relays;
  EXPECT_EQ(relays.Find("t"), nullptr);
  ASSERT_OK_AND_ASSIGN(std::shared_ptr<ShellRelay> relay, relays.Add("t"));
  EXPECT_EQ(relays.Find("t"), relay);
  relays.Stop();
  EXPECT_THAT(relay->AwaitHost(absl::Minutes(1)),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(relays.Add("u"), StatusIs(absl::StatusCode::kUnavailable));
  relays.Remove("t");
  EXPECT_EQ(relays.Find("t"), nullptr);
}

}  // namespace
}  // namespace ktstr::coordinator
