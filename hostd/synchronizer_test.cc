// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/synchronizer.h"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::StatusIs;
using ktstr::v1::SynchronizeRequest;
using ktstr::v1::SynchronizeResponse;

// Holds a call until the script has an answer or the caller gives up.
class FakeCoordinator : public ktstr::v1::Hosts::CallbackService {
 public:
  grpc::ServerUnaryReactor* Synchronize(
      grpc::CallbackServerContext* context, const SynchronizeRequest* request,
      SynchronizeResponse* response) override {
    class Reactor : public grpc::ServerUnaryReactor {
     public:
      explicit Reactor(FakeCoordinator* owner) : owner_(owner) {}
      void OnCancel() override { owner_->Cancel(this); }
      void OnDone() override { delete this; }

     private:
      FakeCoordinator* owner_;
    };
    (void)context;
    auto* reactor = new Reactor(this);
    grpc::Status status;
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(*request);
      bool has_results = request->finished_size() > 0 && acknowledges_;
      if (answers_.empty() && !has_results && status_.ok()) {
        held_.insert(reactor);
        return reactor;
      }
      for (const auto& finished : request->finished()) {
        if (acknowledges_) *response->add_acknowledged() = finished.key();
      }
      if (!answers_.empty()) {
        response->MergeFrom(answers_.front());
        answers_.erase(answers_.begin());
      }
      status = status_;
    }
    reactor->Finish(status);
    return reactor;
  }

  void Cancel(grpc::ServerUnaryReactor* reactor) {
    {
      absl::MutexLock lock(&mutex_);
      if (held_.erase(reactor) == 0) return;
    }
    reactor->Finish(grpc::Status::CANCELLED);
  }

  // Ends the held calls, as a coordinator that shuts down does.
  void Release() {
    std::set<grpc::ServerUnaryReactor*> held;
    {
      absl::MutexLock lock(&mutex_);
      held.swap(held_);
    }
    for (auto* reactor : held) reactor->Finish(grpc::Status::OK);
  }

  void Answer(SynchronizeResponse response) {
    {
      absl::MutexLock lock(&mutex_);
      answers_.push_back(std::move(response));
    }
    Release();
  }

  void Fail(grpc::Status status) {
    {
      absl::MutexLock lock(&mutex_);
      status_ = std::move(status);
    }
    Release();
  }

  void set_acknowledges(bool acknowledges) {
    absl::MutexLock lock(&mutex_);
    acknowledges_ = acknowledges;
  }

  template <typename Predicate>
  bool AwaitRequest(Predicate predicate) {
    absl::MutexLock lock(&mutex_);
    auto is_seen = [&] {
      mutex_.AssertReaderHeld();
      for (const SynchronizeRequest& request : requests_) {
        if (predicate(request)) return true;
      }
      return false;
    };
    return mutex_.AwaitWithTimeout(absl::Condition(&is_seen),
                                   absl::Seconds(20));
  }

  void Forget() {
    absl::MutexLock lock(&mutex_);
    requests_.clear();
  }

 private:
  absl::Mutex mutex_;
  std::vector<SynchronizeRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<SynchronizeResponse> answers_ ABSL_GUARDED_BY(mutex_);
  bool acknowledges_ ABSL_GUARDED_BY(mutex_) = true;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
  // Usually one; a call that was cut off may leave after the next one came.
  std::set<grpc::ServerUnaryReactor*> held_ ABSL_GUARDED_BY(mutex_);
};

class SynchronizerTest : public ::testing::Test {
 protected:
  SynchronizerTest()
      : dir_(*TempDir::Create("sy-")),
        address_("unix:" + JoinPath(dir_.path(), "s")) {
    StartServer();
    grpc::ChannelArguments args;
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
    stub_ = ktstr::v1::Hosts::NewStub(grpc::CreateCustomChannel(
        address_, grpc::InsecureChannelCredentials(), args));
    attempts_ = std::make_unique<Attempts>(
        2,
        [this](const ktstr::v1::Attempt& attempt, AttemptControl* control) {
          control->ReportPhase(ktstr::v1::HELLO);
          if (!finishes_.WaitForNotificationWithTimeout(absl::Seconds(30))) {
            ADD_FAILURE() << "nobody let the attempt finish";
          }
          ktstr::v1::AttemptResult result;
          *result.mutable_key() = attempt.key();
          result.set_outcome(ktstr::v1::PASS);
          return result;
        },
        [this](Attempts::News news) { synchronizer_->OnNews(news); });
    synchronizer_ = std::make_unique<Synchronizer>(
        Synchronizer::Options{.host_id = "h",
                              .incarnation = "i",
                              .cpus = 2,
                              .max_wait = absl::Seconds(20),
                              .min_backoff = absl::Milliseconds(10),
                              .max_backoff = absl::Milliseconds(50),
                              .phase_interval = absl::Milliseconds(1),
                              .drain_limit = absl::Milliseconds(50)},
        stub_.get(), attempts_.get());
    thread_ = Thread("run", [this] { status_ = synchronizer_->Run(); });
  }

  ~SynchronizerTest() override {
    if (!finishes_.HasBeenNotified()) finishes_.Notify();
    synchronizer_->Abandon();
    thread_.Join();
    attempts_.reset();
    StopServer();
  }

  void StartServer() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&coordinator_);
    server_ = builder.BuildAndStart();
  }

  void StopServer() {
    if (server_ == nullptr) return;
    coordinator_.Release();
    server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  void Lease(int variant) {
    SynchronizeResponse response;
    auto* attempt = response.add_leases();
    attempt->mutable_key()->set_run_id("run");
    attempt->mutable_key()->set_variant(variant);
    attempt->mutable_key()->set_epoch(1);
    attempt->mutable_variant()->set_topology("1n1l1c1t");
    coordinator_.Answer(response);
  }

  static bool HasFinished(const SynchronizeRequest& request) {
    return request.finished_size() == 1;
  }

  TempDir dir_;
  std::string address_;
  FakeCoordinator coordinator_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<ktstr::v1::Hosts::Stub> stub_;
  absl::Notification finishes_;
  std::unique_ptr<Synchronizer> synchronizer_;
  std::unique_ptr<Attempts> attempts_;
  absl::Status status_;
  Thread thread_;
};

TEST_F(SynchronizerTest, TellsPhaseAndResultWithoutWaitingForTheLongPoll) {
  Lease(0);
  EXPECT_TRUE(coordinator_.AwaitRequest([](const auto& request) {
    return request.running_size() == 1 &&
           request.running(0).phase() == ktstr::v1::HELLO;
  }));
  finishes_.Notify();
  EXPECT_TRUE(coordinator_.AwaitRequest(HasFinished));
  // Acknowledged: the next call has nothing any more.
  coordinator_.Forget();
  coordinator_.Answer({});
  EXPECT_TRUE(coordinator_.AwaitRequest([](const auto& request) {
    return request.running_size() == 0 && request.finished_size() == 0;
  }));
}

TEST_F(SynchronizerTest, KeepsResultsWhileTheCoordinatorIsAway) {
  Lease(0);
  ASSERT_TRUE(coordinator_.AwaitRequest(
      [](const auto& request) { return request.running_size() == 1; }));
  StopServer();
  finishes_.Notify();
  coordinator_.Forget();
  StartServer();
  EXPECT_TRUE(coordinator_.AwaitRequest(HasFinished));
}

TEST_F(SynchronizerTest, RepeatsWhatIsNotAcknowledged) {
  coordinator_.set_acknowledges(false);
  Lease(0);
  finishes_.Notify();
  ASSERT_TRUE(coordinator_.AwaitRequest(HasFinished));
  coordinator_.Forget();
  coordinator_.Answer({});
  EXPECT_TRUE(coordinator_.AwaitRequest(HasFinished));
}

TEST_F(SynchronizerTest, StopsWhenANewerIncarnationSpeaks) {
  coordinator_.Fail(grpc::Status(grpc::StatusCode::ABORTED, "newer"));
  thread_.Join();
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kAborted));
}

TEST_F(SynchronizerTest, StopsWhenItsNameIsRefused) {
  coordinator_.Fail(
      grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "host_id"));
  thread_.Join();
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(SynchronizerTest, DrainsWithItsResultsReported) {
  Lease(0);
  ASSERT_TRUE(coordinator_.AwaitRequest(
      [](const auto& request) { return request.running_size() == 1; }));
  synchronizer_->Drain();
  finishes_.Notify();
  thread_.Join();
  EXPECT_OK(status_);
  EXPECT_TRUE(coordinator_.AwaitRequest([](const auto& request) {
    return HasFinished(request) && request.unusable_reason() != "";
  }));
}

TEST_F(SynchronizerTest, DrainsWithoutACoordinator) {
  Lease(0);
  ASSERT_TRUE(coordinator_.AwaitRequest(
      [](const auto& request) { return request.running_size() == 1; }));
  StopServer();
  synchronizer_->Drain();
  finishes_.Notify();
  thread_.Join();
  EXPECT_OK(status_);
}

TEST_F(SynchronizerTest, AbandonLeavesALongPollAtOnce) {
  ASSERT_TRUE(coordinator_.AwaitRequest([](const auto&) { return true; }));
  synchronizer_->Abandon();
  thread_.Join();
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace ktstr::hostd
