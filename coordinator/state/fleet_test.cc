// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a store that fails may cost: time, never a result.
#include "coordinator/state/fleet.h"

#include <memory>
#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "coordinator/placement/fair_policy.h"
#include "coordinator/store/memory_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class FleetStateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // A call that is held for as long as it may be never comes back.
    ASSERT_OK_AND_ASSIGN(fleet_,
                         Fleet::Create(&store_, &policy_, &clock_,
                                       {.host_timeout = absl::Hours(24)}));
    request_.set_host_id("h");
    request_.set_incarnation("i");
    request_.set_cpus(2);
    request_.set_memory_mib(1024);
  }

  absl::StatusOr<v1::SubmitResponse> CreateRun() {
    RunRecord run = {.run_id = "r", .request_id = "q", .max_attempts = 3};
    std::vector<VariantDraft> drafts(2);
    for (VariantDraft& draft : drafts) {
      draft.cpus = 2;
      draft.spec.set_memory_mib(256);
    }
    return fleet_->CreateRun(std::move(run), drafts);
  }
  absl::StatusOr<v1::SynchronizeResponse> Call() {
    return fleet_->Synchronize(request_, [] { return false; });
  }
  v1::RunCounts Counts() {
    return fleet_->View("r", 0, 0).value().run.counts();
  }

  void BreakStore() { store_.FailCommits(absl::InternalError("disk full")); }
  void MendStore() { store_.FailCommits(absl::OkStatus()); }

  MemoryStore store_;
  FairPolicy policy_;
  FakeClock clock_;
  std::unique_ptr<Fleet> fleet_;
  v1::SynchronizeRequest request_;
};

TEST_F(FleetStateTest, RunThatIsNotDurableDoesNotExist) {
  BreakStore();
  EXPECT_THAT(CreateRun(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("disk full")));
  EXPECT_THAT(fleet_->View("r", 0, 0), StatusIs(absl::StatusCode::kNotFound));
  MendStore();
  ASSERT_OK(CreateRun());
  EXPECT_EQ(Counts().pending(), 2);
}

TEST_F(FleetStateTest, LeaseThatIsNotDurableIsNotGiven) {
  ASSERT_OK(CreateRun());
  BreakStore();
  EXPECT_THAT(Call(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("disk full")));
  EXPECT_EQ(Counts().pending(), 2);
  EXPECT_EQ(Counts().leased(), 0);
  MendStore();
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, Call());
  ASSERT_THAT(response.leases(), SizeIs(1));
  EXPECT_EQ(response.leases(0).key().epoch(), 1);
}

TEST_F(FleetStateTest, ResultThatIsNotDurableIsNotAcknowledged) {
  ASSERT_OK(CreateRun());
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse given, Call());
  ASSERT_THAT(given.leases(), SizeIs(1));
  v1::AttemptResult& result = *request_.add_finished();
  *result.mutable_key() = given.leases(0).key();
  result.set_outcome(v1::PASS);
  BreakStore();
  EXPECT_THAT(Call(), StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(Counts().passed(), 0);
  EXPECT_EQ(Counts().leased(), 1);
  MendStore();
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, Call());
  EXPECT_THAT(response.acknowledged(), SizeIs(1));
  EXPECT_EQ(Counts().passed(), 1);
  EXPECT_THAT(response.leases(), SizeIs(1));
}

TEST_F(FleetStateTest, CancellationThatIsNotDurableDidNotHappen) {
  ASSERT_OK(CreateRun());
  BreakStore();
  EXPECT_THAT(fleet_->CancelRun("r"), StatusIs(absl::StatusCode::kInternal));
  EXPECT_EQ(Counts().cancelled(), 0);
  MendStore();
  ASSERT_OK(fleet_->CancelRun("r"));
  EXPECT_EQ(Counts().cancelled(), 2);
}

// hostd calls itself ready after the first answer.
TEST_F(FleetStateTest, IntroductionIsNotHeld) {
  request_.mutable_max_wait()->set_seconds(24 * 3600);
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, Call());
  EXPECT_THAT(response.leases(), SizeIs(0));
  EXPECT_THAT(fleet_->Hosts(), SizeIs(1));
}

}  // namespace
}  // namespace ktstr::coordinator
