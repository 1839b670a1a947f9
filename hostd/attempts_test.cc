// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/attempts.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <memory>
#include <string>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ktstr::v1::Attempt;
using ktstr::v1::AttemptResult;
using ktstr::v1::SynchronizeRequest;
using ktstr::v1::SynchronizeResponse;

ktstr::v1::AttemptKey KeyOf(int variant, int epoch = 1) {
  ktstr::v1::AttemptKey key;
  key.set_run_id("run");
  key.set_variant(variant);
  key.set_epoch(epoch);
  return key;
}

void AddLease(SynchronizeResponse* response, int variant,
              const std::string& topology) {
  Attempt* attempt = response->add_leases();
  *attempt->mutable_key() = KeyOf(variant);
  attempt->mutable_variant()->set_topology(topology);
}

// Attempts whose runner waits until the test opens the gate, or a stop.
class AttemptsTest : public ::testing::Test {
 protected:
  AttemptsTest()
      : attempts_(std::make_unique<Attempts>(
            2,
            [this](const Attempt& attempt, AttemptControl* control) {
              return RunOne(attempt, control);
            },
            [this](Attempts::News) {
              absl::MutexLock lock(&mutex_);
              ++news_;
            })) {}

  AttemptResult RunOne(const Attempt& attempt, AttemptControl* control) {
    {
      absl::MutexLock lock(&mutex_);
      ++started_;
    }
    control->ReportPhase(ktstr::v1::HELLO);
    pollfd polled[2] = {
        {.fd = control->stop_fd(), .events = POLLIN, .revents = 0},
        {.fd = gate_.get(), .events = POLLIN, .revents = 0}};
    poll(polled, 2, -1);
    AttemptResult result;
    *result.mutable_key() = attempt.key();
    result.set_outcome(control->reason() == StopReason::kNone
                           ? ktstr::v1::PASS
                           : ktstr::v1::CANCELLED);
    result.set_console_tail(std::string(tail_bytes_, 'x'));
    return result;
  }

  void AwaitStarted(int count) {
    absl::MutexLock lock(&mutex_);
    auto is_reached = [&] {
      mutex_.AssertReaderHeld();
      return started_ >= count;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&is_reached),
                                        absl::Seconds(20)));
  }

  // Two pieces of news an attempt: its phase and its end.
  void AwaitNews(int count) {
    absl::MutexLock lock(&mutex_);
    auto is_reached = [&] {
      mutex_.AssertReaderHeld();
      return news_ >= count;
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&is_reached),
                                        absl::Seconds(20)));
  }

  // Level-triggered and never read: stays open for everybody.
  void OpenGate() { eventfd_write(gate_.get(), 1); }

  SynchronizeRequest Describe() {
    SynchronizeRequest request;
    attempts_->Describe(&request);
    return request;
  }

  void Acknowledge(int variant) {
    SynchronizeResponse response;
    *response.add_acknowledged() = KeyOf(variant);
    attempts_->Reconcile(response);
  }

  absl::Mutex mutex_;
  int started_ ABSL_GUARDED_BY(mutex_) = 0;
  int news_ ABSL_GUARDED_BY(mutex_) = 0;
  UniqueFd gate_{eventfd(0, EFD_CLOEXEC)};
  size_t tail_bytes_ = 0;
  std::unique_ptr<Attempts> attempts_;
};

TEST_F(AttemptsTest, KeepsAResultUntilItIsAcknowledged) {
  OpenGate();
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l1c1t");
  attempts_->Reconcile(response);
  AwaitNews(2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(Describe().finished_size(), 1);
    EXPECT_EQ(Describe().finished(0).outcome(), ktstr::v1::PASS);
    EXPECT_EQ(Describe().running_size(), 0);
  }
  Acknowledge(0);
  EXPECT_EQ(Describe().finished_size(), 0);
  EXPECT_TRUE(attempts_->IsEmpty());
}

TEST_F(AttemptsTest, RepeatedLeaseChangesNothing) {
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l1c1t");
  attempts_->Reconcile(response);
  attempts_->Reconcile(response);
  AwaitStarted(1);
  EXPECT_EQ(Describe().running_size(), 1);
  OpenGate();
  AwaitNews(2);
  attempts_->Reconcile(response);
  EXPECT_EQ(Describe().finished_size(), 1);
  EXPECT_EQ(Describe().running_size(), 0);
}

TEST_F(AttemptsTest, RunsAsManyAsTheCpusHoldAndTheRestLater) {
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l1c1t");
  AddLease(&response, 1, "1n1l1c1t");
  AddLease(&response, 2, "1n4l4c4t");  // takes all of them
  attempts_->Reconcile(response);
  AwaitStarted(2);
  // All three are leases that the coordinator must not give away.
  EXPECT_EQ(Describe().running_size(), 3);
  OpenGate();
  AwaitNews(6);
  EXPECT_EQ(Describe().finished_size(), 3);
}

TEST_F(AttemptsTest, RevokedAttemptEndsAndSaysSo) {
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l2c1t");
  AddLease(&response, 1, "1n1l2c1t");
  attempts_->Reconcile(response);
  AwaitStarted(1);
  SynchronizeResponse revoke;
  *revoke.add_revoked() = KeyOf(0);
  *revoke.add_revoked() = KeyOf(1);  // still waiting for CPUs
  *revoke.add_revoked() = KeyOf(9);  // never seen
  attempts_->Reconcile(revoke);
  AwaitNews(2);
  SynchronizeRequest request = Describe();
  ASSERT_EQ(request.finished_size(), 2);
  EXPECT_EQ(request.finished(0).outcome(), ktstr::v1::CANCELLED);
  EXPECT_EQ(request.finished(1).outcome(), ktstr::v1::CANCELLED);
}

TEST_F(AttemptsTest, StopAllTurnsWaitingOnesIntoMisses) {
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l2c1t");
  AddLease(&response, 1, "1n1l2c1t");
  attempts_->Reconcile(response);
  AwaitStarted(1);
  attempts_->StopAll(StopReason::kDraining, /*is_immediate=*/false);
  AwaitNews(2);
  EXPECT_TRUE(attempts_->IsIdle());
  EXPECT_FALSE(attempts_->IsEmpty());
  EXPECT_EQ(Describe().finished(0).outcome(), ktstr::v1::MISS);
}

TEST_F(AttemptsTest, ResultsThatDoNotFitOneCallStayListedAsRunning) {
  tail_bytes_ = 2 << 20;
  OpenGate();
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l1c1t");
  AddLease(&response, 1, "1n1l1c1t");
  attempts_->Reconcile(response);
  AwaitNews(4);
  SynchronizeRequest request = Describe();
  ASSERT_EQ(request.finished_size(), 1);
  ASSERT_EQ(request.running_size(), 1);
  Acknowledge(static_cast<int>(request.finished(0).key().variant()));
  EXPECT_EQ(Describe().finished_size(), 1);
  EXPECT_EQ(Describe().running_size(), 0);
}

TEST_F(AttemptsTest, DestructorEndsWhatRuns) {
  SynchronizeResponse response;
  AddLease(&response, 0, "1n1l1c1t");
  attempts_->Reconcile(response);
  AwaitStarted(1);
  attempts_.reset();
}

}  // namespace
}  // namespace ktstr::hostd
