// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Leases, results and losses through a real server.
#include "coordinator/handlers/hosts.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "coordinator/testing/fleet_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kHostTimeout = absl::Seconds(10);

class HostsTest : public ::testing::Test {
 protected:
  v1::Variant Variant(const std::string& run, int index) {
    return fixture_.GetRun(run).variants(index);
  }
  void Expire() { ASSERT_OK(fixture_.environment().fleet->ExpireHosts()); }

  FleetFixture fixture_;
};

TEST_F(HostsTest, LeaseBecomesResultBecomesDone) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  std::vector<v1::Attempt> leases = host.Leases();
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases[0].key().run_id(), run);
  EXPECT_EQ(leases[0].key().epoch(), 1);
  EXPECT_EQ(leases[0].variant().name(), "ktstr/t0");
  EXPECT_EQ(leases[0].variant().memory_mib(), 256);
  EXPECT_GT(leases[0].budget().total().seconds(), 30);
  EXPECT_EQ(Variant(run, 0).state(), v1::LEASED);
  EXPECT_EQ(Variant(run, 0).host_id(), "h1");

  host.Finish(leases[0].key(), v1::FAIL, "starved for 900 ms");
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, host.Call());
  EXPECT_THAT(response.acknowledged(), SizeIs(1));
  v1::GetRunResponse done = fixture_.GetRun(run);
  EXPECT_TRUE(done.run().is_finished());
  EXPECT_EQ(done.run().counts().failed(), 1);
  EXPECT_EQ(done.variants(0).result().reason(), "starved for 900 ms");
}

TEST_F(HostsTest, PhasesOfRunningAttemptsAreShown) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  host.request.mutable_running(0)->set_phase(v1::HELLO);
  ASSERT_OK(host.Call());
  EXPECT_EQ(Variant(run, 0).phase(), v1::HELLO);
}

TEST_F(HostsTest, GivesNoMoreThanWhatIsFree) {
  fixture_.MustSubmit(fixture_.Request(5));
  ScriptedHost host(&fixture_, "h1", 5);
  std::vector<v1::Attempt> leases = host.Leases();
  ASSERT_THAT(leases, SizeIs(2));
  EXPECT_THAT(host.Leases(), IsEmpty());
  host.Finish(leases[0].key(), v1::PASS);
  EXPECT_THAT(host.Leases(), SizeIs(1));
}

TEST_F(HostsTest, PerformanceModeHasTheHostForItself) {
  v1::SubmitRequest request = fixture_.Request(3);
  auto& tests = *request.mutable_suites(0)->mutable_description();
  tests.mutable_tests(1)->set_performance_mode(true);
  fixture_.MustSubmit(request);
  ScriptedHost host(&fixture_, "h1", 64);
  std::vector<v1::Attempt> leases = host.Leases();
  ASSERT_THAT(leases, SizeIs(2));
  EXPECT_FALSE(leases[0].variant().performance_mode());
  EXPECT_THAT(host.Leases(), IsEmpty());
  host.Finish(leases[0].key(), v1::PASS);
  EXPECT_THAT(host.Leases(), IsEmpty());
  host.Finish(leases[1].key(), v1::PASS);
  fixture_.MustSubmit(fixture_.Request(1));
  leases = host.Leases();
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_TRUE(leases[0].variant().performance_mode());
  // Deadlines follow the guest, not the host that it takes.
  EXPECT_LT(leases[0].budget().total().seconds(), 600);
  host.Finish(leases[0].key(), v1::PASS);
  EXPECT_THAT(host.Leases(), SizeIs(1));
}

TEST_F(HostsTest, UnusableHostGetsNothing) {
  fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  host.request.set_unusable_reason("no usable /dev/kvm");
  EXPECT_THAT(host.Leases(), IsEmpty());
}

TEST_F(HostsTest, HeldCallIsAnsweredWhenARunIsSubmitted) {
  ScriptedHost host(&fixture_, "h1", 4);
  std::vector<v1::Attempt> leases;
  {
    Thread caller("caller", [&] {
      while (leases.empty()) leases = host.Leases(absl::Seconds(10));
    });
    fixture_.MustSubmit(fixture_.Request(1));
  }
  EXPECT_THAT(leases, SizeIs(1));
}

TEST_F(HostsTest, TwoHostsShareTheWork) {
  ScriptedHost a(&fixture_, "a", 2), b(&fixture_, "b", 2);
  ASSERT_OK(a.Call());
  ASSERT_OK(b.Call());
  const std::string run = fixture_.MustSubmit(fixture_.Request(6));
  int given_a = 0, given_b = 0;
  while (!fixture_.GetRun(run).run().is_finished()) {
    for (const v1::Attempt& lease : a.Leases()) {
      ++given_a;
      a.Finish(lease.key(), v1::PASS);
    }
    for (const v1::Attempt& lease : b.Leases()) {
      ++given_b;
      b.Finish(lease.key(), v1::PASS);
    }
  }
  EXPECT_EQ(given_a, 3);
  EXPECT_EQ(given_b, 3);
  EXPECT_EQ(fixture_.GetRun(run).run().counts().passed(), 6);
}

TEST_F(HostsTest, MissIsTriedAgainAndPrefersAnotherHost) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost a(&fixture_, "a", 4), b(&fixture_, "b", 4);
  std::vector<v1::Attempt> leases = a.Leases();
  ASSERT_THAT(leases, SizeIs(1));
  ASSERT_OK(b.Call());
  a.Finish(leases[0].key(), v1::MISS, "vmm died");
  EXPECT_THAT(a.Leases(), IsEmpty());
  EXPECT_THAT(Variant(run, 0).missed(), ElementsAre("vmm died"));
  leases = b.Leases();
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases[0].key().epoch(), 2);
  b.Finish(leases[0].key(), v1::PASS);
  ASSERT_OK(b.Call());
  EXPECT_EQ(Variant(run, 0).result().outcome(), v1::PASS);
  EXPECT_THAT(Variant(run, 0).missed(), ElementsAre("vmm died"));
}

TEST_F(HostsTest, MissesEndAtTheLimit) {
  v1::SubmitRequest request = fixture_.Request(1);
  request.set_max_attempts(2);
  const std::string run = fixture_.MustSubmit(request);
  ScriptedHost host(&fixture_, "h1", 4);
  for (const char* reason : {"first", "second"}) {
    std::vector<v1::Attempt> leases = host.Leases();
    if (leases.empty()) leases = host.Leases();
    ASSERT_THAT(leases, SizeIs(1));
    host.Finish(leases[0].key(), v1::MISS, reason);
    absl::StatusOr<v1::SynchronizeResponse> response = host.Call();
    ASSERT_OK(response);
    // The answer to the first miss already carries the second attempt.
    for (const v1::Attempt& lease : response->leases()) {
      host.Finish(lease.key(), v1::MISS, "second");
      ASSERT_OK(host.Call());
    }
    if (fixture_.GetRun(run).run().is_finished()) break;
  }
  v1::Variant variant = Variant(run, 0);
  EXPECT_EQ(variant.state(), v1::DONE);
  EXPECT_EQ(variant.result().outcome(), v1::MISS);
  EXPECT_EQ(variant.result().reason(), "second");
  EXPECT_THAT(variant.missed(), ElementsAre("first"));
  EXPECT_EQ(variant.epoch(), 2);
  EXPECT_EQ(fixture_.GetRun(run).run().counts().missed(), 1);
}

TEST_F(HostsTest, FailIsNeverTriedAgain) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  std::vector<v1::Attempt> leases = host.Leases();
  ASSERT_THAT(leases, SizeIs(1));
  host.Finish(leases[0].key(), v1::ERROR, "exit code 139");
  EXPECT_THAT(host.Leases(), IsEmpty());
  EXPECT_EQ(Variant(run, 0).result().outcome(), v1::ERROR);
}

TEST_F(HostsTest, UnreportedOutcomeIsAMiss) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  host.Finish(host.Leases().at(0).key(), v1::OUTCOME_UNSPECIFIED);
  ASSERT_OK(host.Call());
  EXPECT_THAT(Variant(run, 0).missed(),
              ElementsAre(HasSubstr("reported no outcome")));
}

TEST_F(HostsTest, LostHostReturnsItsLeasesAndItsLateResultIsNotCounted) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost a(&fixture_, "a", 4), b(&fixture_, "b", 4);
  std::vector<v1::Attempt> old = a.Leases();
  ASSERT_THAT(old, SizeIs(1));
  fixture_.clock.Advance(kHostTimeout - absl::Milliseconds(1));
  Expire();
  EXPECT_EQ(Variant(run, 0).state(), v1::LEASED);
  fixture_.clock.Advance(absl::Milliseconds(1));
  Expire();
  EXPECT_EQ(Variant(run, 0).state(), v1::PENDING);
  EXPECT_THAT(Variant(run, 0).missed(), ElementsAre(HasSubstr("host a lost")));

  std::vector<v1::Attempt> current = b.Leases();
  ASSERT_THAT(current, SizeIs(1));
  EXPECT_EQ(current[0].key().epoch(), 2);
  a.Finish(old[0].key(), v1::FAIL, "late");
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, a.Call());
  EXPECT_THAT(response.acknowledged(), SizeIs(1));
  EXPECT_EQ(Variant(run, 0).state(), v1::LEASED);
  EXPECT_EQ(fixture_.GetRun(run).run().counts().failed(), 0);
  ASSERT_OK_AND_ASSIGN(std::vector<v1::AttemptResult> evidence,
                       fixture_.environment().store->ReadEvidence(run));
  EXPECT_EQ(evidence.back().reason(), "late");

  b.Finish(current[0].key(), v1::PASS);
  ASSERT_OK(b.Call());
  EXPECT_EQ(Variant(run, 0).result().outcome(), v1::PASS);
}

TEST_F(HostsTest, ResultFromTheWrongHostOrEpochIsNotCounted) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost a(&fixture_, "a", 4), b(&fixture_, "b", 4);
  v1::AttemptKey key = a.Leases().at(0).key();
  b.Finish(key, v1::FAIL, "not mine");
  ASSERT_OK(b.Call());
  key.set_epoch(2);
  b.Finish(key, v1::FAIL, "future");
  key.set_variant(77);
  b.Finish(key, v1::FAIL, "no such variant");
  key.set_run_id("no such run");
  b.Finish(key, v1::FAIL);
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, b.Call());
  EXPECT_THAT(response.acknowledged(), SizeIs(3));
  EXPECT_EQ(Variant(run, 0).state(), v1::LEASED);
}

TEST_F(HostsTest, RepeatedResultIsAcknowledgedAgain) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  v1::AttemptKey key = host.Leases().at(0).key();
  for (int i = 0; i < 2; ++i) {
    host.Finish(key, v1::PASS);
    ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, host.Call());
    EXPECT_THAT(response.acknowledged(), SizeIs(1));
  }
  EXPECT_EQ(fixture_.GetRun(run).run().counts().passed(), 1);
}

TEST_F(HostsTest, NewIncarnationEndsTheLeasesOfTheOld) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost before(&fixture_, "h1", 4, "i1");
  v1::AttemptKey key = before.Leases().at(0).key();
  ScriptedHost after(&fixture_, "h1", 4, "i2");
  std::vector<v1::Attempt> leases = after.Leases();
  ASSERT_THAT(leases, SizeIs(1));
  EXPECT_EQ(leases[0].key().epoch(), 2);
  EXPECT_THAT(Variant(run, 0).missed(),
              ElementsAre(HasSubstr("started again")));
  before.Finish(key, v1::FAIL);
  EXPECT_THAT(before.Call(), StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(Variant(run, 0).state(), v1::LEASED);
}

TEST_F(HostsTest, LeaseThatNeverArrivedIsTakenBackOnTheSecondCall) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  host.request.clear_running();
  EXPECT_THAT(host.Leases(), IsEmpty());
  EXPECT_EQ(Variant(run, 0).epoch(), 1);
  ASSERT_OK(host.Call());
  EXPECT_THAT(Variant(run, 0).missed(),
              ElementsAre(HasSubstr("does not know the attempt")));
}

TEST_F(HostsTest, CancelEndsPendingAtOnceAndLeasedWhenConfirmed) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(2));
  ScriptedHost host(&fixture_, "h1", 2);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  ASSERT_OK(fixture_.Cancel(run));
  EXPECT_EQ(Variant(run, 0).state(), v1::LEASED);
  EXPECT_EQ(Variant(run, 1).result().outcome(), v1::CANCELLED);
  ASSERT_OK_AND_ASSIGN(v1::SynchronizeResponse response, host.Call());
  EXPECT_THAT(response.revoked(), SizeIs(1));
  ASSERT_OK(host.Call());
  v1::GetRunResponse done = fixture_.GetRun(run);
  EXPECT_TRUE(done.run().is_finished());
  EXPECT_TRUE(done.run().is_cancelled());
  EXPECT_EQ(done.run().counts().cancelled(), 2);
}

TEST_F(HostsTest, CancelReachesAHeldCall) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  std::vector<v1::AttemptKey> revoked;
  {
    Thread caller("caller", [&] {
      while (revoked.empty()) {
        auto response = host.Call(absl::Seconds(10)).value();
        revoked.assign(response.revoked().begin(), response.revoked().end());
      }
    });
    ASSERT_OK(fixture_.Cancel(run));
  }
  EXPECT_EQ(revoked[0].run_id(), run);
}

TEST_F(HostsTest, ResultBeforeTheRevocationStillCounts) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  v1::AttemptKey key = host.Leases().at(0).key();
  ASSERT_OK(fixture_.Cancel(run));
  host.Finish(key, v1::PASS);
  ASSERT_OK(host.Call());
  EXPECT_EQ(Variant(run, 0).result().outcome(), v1::PASS);
}

TEST_F(HostsTest, LostHostOfACancelledRunEndsIt) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  ASSERT_OK(fixture_.Cancel(run));
  fixture_.clock.Advance(kHostTimeout);
  Expire();
  EXPECT_EQ(Variant(run, 0).result().outcome(), v1::CANCELLED);
}

TEST_F(HostsTest, RestartKeepsWhatHostsStillRun) {
  const std::string run = fixture_.MustSubmit(fixture_.Request(3));
  ScriptedHost a(&fixture_, "a", 2), b(&fixture_, "b", 2);
  v1::AttemptKey key_a = a.Leases().at(0).key();
  v1::AttemptKey key_b = b.Leases().at(0).key();
  fixture_.Restart();
  ASSERT_OK(a.Call());
  fixture_.clock.Advance(kHostTimeout - absl::Seconds(1));
  ASSERT_OK(a.Call());
  fixture_.clock.Advance(absl::Seconds(1));
  Expire();  // b never came back
  a.Finish(key_a, v1::PASS);
  std::vector<v1::Attempt> next = a.Leases();
  EXPECT_EQ(Variant(run, key_a.variant()).result().outcome(), v1::PASS);
  EXPECT_EQ(Variant(run, key_a.variant()).epoch(), 1);
  EXPECT_THAT(Variant(run, key_b.variant()).missed(),
              ElementsAre(HasSubstr("host b lost")));
  while (!next.empty()) {
    for (const v1::Attempt& lease : next) a.Finish(lease.key(), v1::PASS);
    next = a.Leases();
  }
  EXPECT_EQ(fixture_.GetRun(run).run().counts().passed(), 3);
}

TEST_F(HostsTest, MalformedNamesAreRefused) {
  for (std::string name : {"", "a b", "../x", "a/b"}) {
    ScriptedHost host(&fixture_, name, 4);
    EXPECT_THAT(host.Call(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("host_id")));
  }
  ScriptedHost host(&fixture_, "h", 4, std::string(65, 'i'));
  EXPECT_THAT(host.Call(), StatusIs(absl::StatusCode::kInvalidArgument,
                                    HasSubstr("incarnation")));
  ScriptedHost negative(&fixture_, "h", -1);
  EXPECT_THAT(negative.Call(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(HostsTest, ListedHostsShowUseAndLife) {
  fixture_.MustSubmit(fixture_.Request(1));
  ScriptedHost host(&fixture_, "h1", 4);
  ASSERT_THAT(host.Leases(), SizeIs(1));
  auto list = [this] {
    grpc::ClientContext context;
    v1::ListHostsResponse response;
    EXPECT_TRUE(fixture_.fleet->ListHosts(&context, {}, &response).ok());
    return response;
  };
  v1::ListHostsResponse hosts = list();
  ASSERT_THAT(hosts.hosts(), SizeIs(1));
  EXPECT_EQ(hosts.hosts(0).cpus_in_use(), 2);
  EXPECT_TRUE(hosts.hosts(0).is_alive());
  fixture_.clock.Advance(kHostTimeout);
  EXPECT_FALSE(list().hosts(0).is_alive());
}

}  // namespace
}  // namespace ktstr::coordinator
