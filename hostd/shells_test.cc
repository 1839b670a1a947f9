// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Shells of a host with the fake vmm; the test is the coordinator.
#include "hostd/shells.h"

#include <stdlib.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "grpc/grpc.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "hostd/artifact_cache.h"
#include "hostd/run_dir.h"
#include "hostd/shell_runner.h"
#include "proto/shells.grpc.pb.h"

namespace ktstr::hostd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using v1::ShellEnd;

constexpr absl::Duration kPatience = absl::Seconds(30);

class MapSource : public ArtifactSource {
 public:
  absl::Status Fetch(const std::string& sha256, const Sink& sink) override {
    auto found = blobs.find(sha256);
    if (found == blobs.end()) return absl::NotFoundError("no such blob");
    return sink(found->second);
  }
  v1::ArtifactRef Add(const std::string& name) {
    v1::ArtifactRef ref;
    ref.set_sha256(Sha256Hex(name));
    ref.set_size_bytes(static_cast<int64_t>(name.size()));
    ref.set_name(name);
    blobs[ref.sha256()] = name;
    return ref;
  }
  std::map<std::string, std::string> blobs;
};

// What the coordinator sees of one shell.
struct Seen {
  std::string out;
  std::string console;
  std::vector<std::string> progress;
  bool is_started = false;
  ShellEnd end;
  // The host has closed its stream.
  bool is_over = false;
};

class FakeCoordinator : public v1::Shells::Service {
 public:
  grpc::Status Attach(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ShellInput, v1::AttachShellRequest>* stream)
      override {
    v1::AttachShellRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    const std::string token = request.token();
    {
      absl::MutexLock lock(&mutex_);
      streams_[token] = stream;
      contexts_[token] = context;
    }
    while (stream->Read(&request)) {
      const v1::ShellOutput& output = request.output();
      absl::MutexLock lock(&mutex_);
      Seen& seen = seen_[token];
      seen.out += output.out();
      seen.console += output.console();
      if (output.has_progress()) seen.progress.push_back(output.progress());
      if (output.has_started()) seen.is_started = true;
      if (output.has_end()) seen.end = output.end();
    }
    absl::MutexLock lock(&mutex_);
    seen_[token].is_over = true;
    streams_.erase(token);
    contexts_.erase(token);
    return grpc::Status::OK;
  }

  // Waits until the shell looks so.
  template <typename Predicate>
  Seen Await(const std::string& token, Predicate predicate) {
    absl::MutexLock lock(&mutex_);
    auto is_so = [&] {
      mutex_.AssertReaderHeld();
      return predicate(seen_[token]);
    };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&is_so), kPatience))
        << seen_[token].end.message() << seen_[token].out;
    return seen_[token];
  }
  Seen AwaitOver(const std::string& token) {
    return Await(token, [](const Seen& seen) { return seen.is_over; });
  }

  void Type(const std::string& token, const std::string& text) {
    absl::MutexLock lock(&mutex_);
    v1::ShellInput input;
    input.set_data(text);
    if (streams_.count(token) != 0) streams_[token]->Write(input);
  }
  // As when the client has gone.
  void Drop(const std::string& token) {
    absl::MutexLock lock(&mutex_);
    if (contexts_.count(token) != 0) contexts_[token]->TryCancel();
  }

 private:
  using Stream =
      grpc::ServerReaderWriter<v1::ShellInput, v1::AttachShellRequest>;
  absl::Mutex mutex_;
  std::map<std::string, Seen> seen_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Stream*> streams_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, grpc::ServerContext*> contexts_ ABSL_GUARDED_BY(mutex_);
};

class ShellsTest : public ::testing::Test {
 protected:
  // gRPC's own tear-down, at the end of its last object, may wait 10 s for the
  // poller of a blocked write; one reference more keeps it out of the tests.
  static void SetUpTestSuite() { grpc_init(); }

  ShellsTest()
      : dir_(*TempDir::Create("sh-")),
        run_dir_(*RunDir::Create(JoinPath(dir_.path(), "run"))),
        cache_(*ArtifactCache::Open({.dir = JoinPath(dir_.path(), "cache")},
                                    &source_)),
        kernel_(source_.Add("kernel")),
        busybox_(source_.Add("busybox")) {
    std::string address = absl::StrCat("unix:", dir_.path(), "/c");
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&coordinator_);
    server_ = builder.BuildAndStart();
    stub_ = v1::Shells::NewStub(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  }

  ~ShellsTest() override {
    shells_.reset();
    // Whatever happened: only the lock file is left of the shells.
    EXPECT_THAT(*ListDir(run_dir_.path()), ElementsAre("lock"));
    server_->Shutdown();
  }

  void Start(const std::string& scenario) {
    runner_ = std::make_unique<ShellRunner>(
        GuestBootOptions{
            .vmm_program = JoinPath(
                JoinPath(getenv("TEST_SRCDIR"), getenv("TEST_WORKSPACE")),
                "hostd/testing/fake_vmm"),
            .extra_cmdline = "fake=" + scenario,
            .clock = &RealClock()},
        &run_dir_, cache_.get(), [](const std::vector<GuestImageFile>&) {
          return std::vector<UniqueFd>();
        });
    shells_ = std::make_unique<Shells>(
        stub_.get(), [this](const v1::ShellLease& lease, ShellLink* link) {
          runner_->Run(lease, link);
        });
  }

  v1::ShellLease Lease(const std::string& token) {
    v1::ShellLease lease;
    lease.set_token(token);
    lease.mutable_boot_timeout()->set_seconds(20);
    v1::ShellRequest& request = *lease.mutable_request();
    request.set_topology("1n1l2c1t");
    request.set_memory_mib(256);
    *request.mutable_kernel() = kernel_;
    v1::GuestFile& busybox = *request.add_files();
    *busybox.mutable_content() = busybox_;
    busybox.set_guest_path("/bin/busybox");
    busybox.set_is_executable(true);
    request.mutable_start()->set_topology("1n1l2c1t");
    return lease;
  }

  void Give(const v1::ShellLease& lease) {
    google::protobuf::RepeatedPtrField<v1::ShellLease> leases;
    *leases.Add() = lease;
    shells_->Reconcile(leases);
  }

  Seen RunToEnd(const std::string& scenario) {
    Start(scenario);
    Give(Lease("t"));
    return coordinator_.AwaitOver("t");
  }

  static bool IsUp(const Seen& seen) {
    return seen.out.find("shell of 1n1l2c1t\n") != std::string::npos;
  }

  TempDir dir_;
  RunDir run_dir_;
  MapSource source_;
  std::unique_ptr<ArtifactCache> cache_;
  const v1::ArtifactRef kernel_;
  const v1::ArtifactRef busybox_;
  FakeCoordinator coordinator_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::Shells::Stub> stub_;
  std::unique_ptr<ShellRunner> runner_;
  std::unique_ptr<Shells> shells_;
};

TEST_F(ShellsTest, TypesAndReadsToTheEnd) {
  Start("pass");
  Give(Lease("t"));
  coordinator_.Await("t", IsUp);
  coordinator_.Type("t", "hello\n");
  coordinator_.Await("t", [](const Seen& seen) {
    return seen.out.find("hello\n") != std::string::npos;
  });
  coordinator_.Type("t", "exit\n");
  Seen seen = coordinator_.AwaitOver("t");
  EXPECT_TRUE(seen.is_started);
  EXPECT_THAT(seen.progress,
              ElementsAre("fetching kernel and files", "booting the guest"));
  EXPECT_EQ(seen.end.kind(), ShellEnd::EXITED);
  EXPECT_EQ(seen.end.exit_code(), 5);
  EXPECT_EQ(seen.console, "");
}

TEST_F(ShellsTest, ConsoleComesWhenItIsWanted) {
  Start("pass");
  v1::ShellLease lease = Lease("t");
  lease.mutable_request()->set_wants_console(true);
  Give(lease);
  coordinator_.Await("t", IsUp);
  coordinator_.Type("t", "exit\n");
  Seen seen = coordinator_.AwaitOver("t");
  EXPECT_THAT(seen.console, HasSubstr("Linux version"));
  EXPECT_THAT(seen.console, HasSubstr("ignore_loglevel"));
}

TEST_F(ShellsTest, LeaseThatIsRepeatedIsOneShell) {
  Start("pass");
  Give(Lease("t"));
  Give(Lease("t"));
  coordinator_.Await("t", IsUp);
  Give(Lease("t"));
  coordinator_.Type("t", "exit\n");
  EXPECT_EQ(coordinator_.AwaitOver("t").out, "shell of 1n1l2c1t\n");
}

TEST_F(ShellsTest, ClientThatGoesAwayEndsTheGuest) {
  Start("pass");
  Give(Lease("t"));
  coordinator_.Await("t", IsUp);
  coordinator_.Drop("t");
  coordinator_.AwaitOver("t");
}

TEST_F(ShellsTest, ClientThatGoesAwayFromAFloodEndsTheGuest) {
  Start("endless-log");
  Give(Lease("t"));
  coordinator_.Await(
      "t", [](const Seen& seen) { return seen.out.size() > 1000000; });
  coordinator_.Drop("t");
  coordinator_.AwaitOver("t");
}

TEST_F(ShellsTest, ClientThatGoesAwayDuringTheBootEndsTheGuest) {
  Start("mute");
  Give(Lease("t"));
  coordinator_.Await(
      "t", [](const Seen& seen) { return seen.progress.size() == 2; });
  coordinator_.Drop("t");
  coordinator_.AwaitOver("t");
}

TEST_F(ShellsTest, HostThatStopsEndsItsShells) {
  Start("pass");
  Give(Lease("t"));
  Give(Lease("u"));
  coordinator_.Await("t", IsUp);
  coordinator_.Await("u", IsUp);
  shells_->StopAll();
  coordinator_.AwaitOver("t");
  coordinator_.AwaitOver("u");
}

TEST_F(ShellsTest, OneTooManyIsRefused) {
  Start("pass");
  for (size_t i = 0; i < Shells::kMaxShells; ++i) {
    Give(Lease(absl::StrCat("t", i)));
  }
  Give(Lease("more"));
  Seen seen = coordinator_.AwaitOver("more");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("8 shells already"));
}

TEST_F(ShellsTest, PanicIsTheGuests) {
  Seen seen = RunToEnd("panic-reset");
  EXPECT_EQ(seen.end.kind(), ShellEnd::CRASHED);
  EXPECT_THAT(seen.end.message(), HasSubstr("Fatal exception"));
}

TEST_F(ShellsTest, PanicThatHangsIsEndedAllTheSame) {
  EXPECT_EQ(RunToEnd("panic-stuck").end.kind(), ShellEnd::CRASHED);
}

TEST_F(ShellsTest, PanicAboutOurInitIsOurs) {
  EXPECT_EQ(RunToEnd("no-init").end.kind(), ShellEnd::FAILED);
}

TEST_F(ShellsTest, GuestdThatIsLostIsOurs) {
  Seen seen = RunToEnd("hang-up");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("the shell was lost"));
}

TEST_F(ShellsTest, GuestThatCannotBePreparedSaysWhy) {
  Seen seen = RunToEnd("init-error");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("initramfs cut off"));
}

TEST_F(ShellsTest, VmmThatDiesIsOurs) {
  Seen seen = RunToEnd("exit-3");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("exit code 3"));
  EXPECT_THAT(seen.end.message(), HasSubstr("something odd happened"));
}

TEST_F(ShellsTest, VmmThatDiesUnderAShellIsOurs) {
  Seen seen = RunToEnd("killed");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("vmm ended: killed by signal 9"));
}

TEST_F(ShellsTest, GuestThatNeverCallsBackIsGivenUp) {
  Start("mute");
  v1::ShellLease lease = Lease("t");
  lease.mutable_boot_timeout()->set_seconds(0);
  lease.mutable_boot_timeout()->set_nanos(200000000);
  Give(lease);
  Seen seen = coordinator_.AwaitOver("t");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("did not call back within 200ms"));
}

TEST_F(ShellsTest, MissingFilesAreNamed) {
  Start("pass");
  v1::ShellLease lease = Lease("t");
  lease.mutable_request()->mutable_kernel()->set_sha256(Sha256Hex("other"));
  Give(lease);
  Seen seen = coordinator_.AwaitOver("t");
  EXPECT_EQ(seen.end.kind(), ShellEnd::FAILED);
  EXPECT_THAT(seen.end.message(), HasSubstr("fetch kernel"));

  lease = Lease("u");
  lease.mutable_request()->clear_files();
  Give(lease);
  EXPECT_THAT(coordinator_.AwaitOver("u").end.message(),
              HasSubstr("/bin/busybox"));
}

}  // namespace
}  // namespace ktstr::hostd
