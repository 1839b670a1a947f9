// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Clients and hosts of shells through a real server.
#include "coordinator/handlers/shells.h"

#include <memory>
#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "coordinator/converters/grpc_status.h"
#include "coordinator/testing/fleet_fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kHostTimeout = absl::Seconds(10);

// A client's half of one shell.
class Client {
 public:
  Client(FleetFixture& fixture, const v1::ShellRequest& request)
      : stream_(fixture.shells->Open(&context_)) {
    v1::OpenShellRequest first;
    *first.mutable_request() = request;
    stream_->Write(first);
  }
  ~Client() { context_.TryCancel(); }

  // The next message; empty when the stream is over.
  v1::ShellOutput Read() {
    v1::ShellOutput output;
    stream_->Read(&output);
    return output;
  }
  bool Type(const std::string& text) {
    v1::OpenShellRequest request;
    request.mutable_input()->set_data(text);
    return stream_->Write(request);
  }
  void HalfClose() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  absl::Status Finish() {
    v1::ShellOutput ignored;
    while (stream_->Read(&ignored)) {
    }
    return FromGrpcStatus(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::OpenShellRequest, v1::ShellOutput>>
      stream_;
};

// A host's half.
class Host {
 public:
  Host(FleetFixture& fixture, const std::string& token)
      : stream_(fixture.shells->Attach(&context_)) {
    v1::AttachShellRequest first;
    first.set_token(token);
    stream_->Write(first);
  }
  ~Host() { context_.TryCancel(); }

  bool Read(std::string* data) {
    v1::ShellInput input;
    if (!stream_->Read(&input)) return false;
    *data = input.data();
    return true;
  }
  bool Print(const std::string& text) {
    v1::AttachShellRequest request;
    request.mutable_output()->set_out(text);
    return stream_->Write(request);
  }
  void End(int code) {
    v1::AttachShellRequest request;
    request.mutable_output()->mutable_end()->set_kind(v1::ShellEnd::EXITED);
    request.mutable_output()->mutable_end()->set_exit_code(code);
    stream_->Write(request);
  }
  void Cancel() { context_.TryCancel(); }
  // Half-closes and waits for the coordinator's end.
  absl::Status Finish() {
    stream_->WritesDone();
    std::string ignored;
    while (Read(&ignored)) {
    }
    return FromGrpcStatus(stream_->Finish());
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::AttachShellRequest, v1::ShellInput>>
      stream_;
};

class ShellsTest : public ::testing::Test {
 protected:
  v1::ShellRequest Request(const std::string& host = "") {
    v1::ShellRequest request;
    request.set_host_id(host);
    request.set_topology("1n1l2c1t");
    request.set_memory_mib(256);
    *request.mutable_kernel() = fixture_.Artifact("kernel", "vmlinux");
    v1::GuestFile& busybox = *request.add_files();
    *busybox.mutable_content() = fixture_.Artifact("busybox", "sh");
    busybox.set_guest_path("/bin/busybox");
    return request;
  }

  // The shells in the host's next answer.
  static std::vector<v1::ShellLease> Shells(
      ScriptedHost& host, absl::Duration max_wait = absl::ZeroDuration()) {
    auto response = host.Call(max_wait);
    EXPECT_OK(response);
    if (!response.ok()) return {};
    return {response->shells().begin(), response->shells().end()};
  }
  // The only one there will be.
  static v1::ShellLease AwaitShell(ScriptedHost& host) {
    std::vector<v1::ShellLease> shells;
    while (shells.empty()) shells = Shells(host, absl::Seconds(10));
    EXPECT_THAT(shells, SizeIs(1));
    return shells[0];
  }

  v1::Host ListHost(const std::string& id) {
    grpc::ClientContext context;
    v1::ListHostsResponse response;
    EXPECT_TRUE(fixture_.fleet->ListHosts(&context, {}, &response).ok());
    for (const v1::Host& host : response.hosts()) {
      if (host.host_id() == id) return host;
    }
    return {};
  }

  // What a request is answered with when no host takes it up.
  absl::Status Refusal(const v1::ShellRequest& request) {
    return Client(fixture_, request).Finish();
  }

  FleetFixture fixture_;
};

TEST_F(ShellsTest, JoinsBothStreamsUntilTheEnd) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  v1::ShellLease lease = AwaitShell(scripted);
  EXPECT_EQ(lease.request().topology(), "1n1l2c1t");
  EXPECT_GT(lease.boot_timeout().seconds(), 0);
  EXPECT_EQ(ListHost("h1").cpus_in_use(), 2);

  Host host(fixture_, lease.token());
  ASSERT_TRUE(host.Print("prompt"));
  EXPECT_EQ(client.Read().out(), "prompt");
  EXPECT_THAT(Shells(scripted), IsEmpty());
  ASSERT_TRUE(client.Type("ls\n"));
  std::string typed;
  ASSERT_TRUE(host.Read(&typed));
  EXPECT_EQ(typed, "ls\n");
  host.End(3);
  EXPECT_EQ(client.Read().end().exit_code(), 3);
  client.HalfClose();
  EXPECT_OK(client.Finish());
  EXPECT_OK(host.Finish());
  EXPECT_EQ(ListHost("h1").cpus_in_use(), 0);
}

TEST_F(ShellsTest, LargeOutputComesWholeAndInOrder) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  Host host(fixture_, AwaitShell(scripted).token());
  constexpr int kPieces = 500;
  std::string seen;
  {
    Thread reader("reader", [&] {
      for (v1::ShellOutput output = client.Read(); !output.has_end();
           output = client.Read()) {
        seen += output.out();
      }
    });
    for (int i = 0; i < kPieces; ++i) {
      ASSERT_TRUE(host.Print(std::string(40000, static_cast<char>(i))));
    }
    host.End(0);
  }
  ASSERT_EQ(seen.size(), 40000u * kPieces);
  for (int i = 0; i < kPieces; ++i) {
    ASSERT_EQ(seen[40000u * i + 39999], static_cast<char>(i));
  }
}

TEST_F(ShellsTest, ClientThatGoesAwayEndsTheHostsStream) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  Host host(fixture_, AwaitShell(scripted).token());
  ASSERT_TRUE(host.Print("prompt"));
  EXPECT_EQ(client.Read().out(), "prompt");
  client.Cancel();
  std::string ignored;
  EXPECT_FALSE(host.Read(&ignored));
}

TEST_F(ShellsTest, ClientThatGoesAwayFromAFloodEndsTheHostsStream) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  Host host(fixture_, AwaitShell(scripted).token());
  Thread flood("flood", [&] {
    while (host.Print(std::string(60000, 'x'))) {
    }
  });
  EXPECT_THAT(client.Read().out(), SizeIs(60000));
  client.Cancel();
  flood.Join();
}

TEST_F(ShellsTest, LostHostIsAnEndOfOurs) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  {
    Host host(fixture_, AwaitShell(scripted).token());
    ASSERT_TRUE(host.Print("prompt"));
    EXPECT_EQ(client.Read().out(), "prompt");
    host.Cancel();
  }
  v1::ShellOutput last = client.Read();
  EXPECT_EQ(last.end().kind(), v1::ShellEnd::FAILED);
  EXPECT_THAT(last.end().message(), HasSubstr("host h1 was lost"));
}

TEST_F(ShellsTest, ShellIsOfferedUntilItIsTakenUp) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  const std::string token = AwaitShell(scripted).token();
  EXPECT_THAT(Shells(scripted), SizeIs(1));
  Host host(fixture_, token);
  ASSERT_TRUE(host.Print("prompt"));
  EXPECT_EQ(client.Read().out(), "prompt");
  EXPECT_THAT(Shells(scripted), IsEmpty());
}

TEST_F(ShellsTest, TokenIsGoodOnce) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  const std::string token = AwaitShell(scripted).token();
  Host host(fixture_, token);
  ASSERT_TRUE(host.Print("prompt"));
  EXPECT_EQ(client.Read().out(), "prompt");
  EXPECT_THAT(Host(fixture_, token).Finish(),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Host(fixture_, "guessed").Finish(),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ShellsTest, HostIsChosenByNameOrByRoom) {
  ScriptedHost small(&fixture_, "small", 2), large(&fixture_, "large", 8);
  ASSERT_OK(small.Call());
  ASSERT_OK(large.Call());
  Client by_room(fixture_, Request());
  AwaitShell(large);
  Client by_name(fixture_, Request("small"));
  AwaitShell(small);
}

TEST_F(ShellsTest, HostsWithoutRoomSayWhy) {
  EXPECT_THAT(Refusal(Request()), StatusIs(absl::StatusCode::kUnavailable,
                                           HasSubstr("no host is connected")));
  ScriptedHost scripted(&fixture_, "h1", 4);
  scripted.request.set_memory_mib(1024);
  ASSERT_OK(scripted.Call());
  EXPECT_THAT(Refusal(Request("h2")),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("no host \"h2\"; there are h1")));
  v1::ShellRequest request = Request("h1");
  request.set_memory_mib(2048);
  EXPECT_THAT(Refusal(request),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("h1 has 1024 MiB for guests")));
  request.set_memory_mib(900);
  Client first(fixture_, request);
  AwaitShell(scripted);
  EXPECT_THAT(Refusal(request),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("124 of 1024 MiB free now")));

  scripted.request.set_unusable_reason("no usable /dev/kvm");
  ASSERT_OK(scripted.Call());
  EXPECT_THAT(Refusal(Request("h1")),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("no usable /dev/kvm")));
  fixture_.clock.Advance(kHostTimeout);
  EXPECT_THAT(Refusal(Request("h1")), StatusIs(absl::StatusCode::kUnavailable,
                                               HasSubstr("h1 is lost")));
}

TEST_F(ShellsTest, HostThatRunsATestAloneTakesNoShell) {
  v1::SubmitRequest run = fixture_.Request(1);
  run.mutable_suites(0)
      ->mutable_description()
      ->mutable_tests(0)
      ->set_performance_mode(true);
  fixture_.MustSubmit(run);
  ScriptedHost scripted(&fixture_, "h1", 4);
  std::vector<v1::Attempt> leases = scripted.Leases();
  ASSERT_EQ(leases.size(), 1u);
  EXPECT_THAT(Refusal(Request("h1")),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("h1 runs a test that needs all of it")));
  scripted.Finish(leases[0].key(), v1::PASS);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request("h1"));
  AwaitShell(scripted);
}

TEST_F(ShellsTest, FifthShellOfAHostIsRefused) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  scripted.request.set_memory_mib(1 << 20);
  ASSERT_OK(scripted.Call());
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 1; i <= 4; ++i) {
    clients.push_back(std::make_unique<Client>(fixture_, Request()));
    while (Shells(scripted, absl::Seconds(10)).size() < i) {
    }
  }
  EXPECT_THAT(Refusal(Request()), StatusIs(absl::StatusCode::kResourceExhausted,
                                           HasSubstr("4 shells")));
}

TEST_F(ShellsTest, MemoryOfAShellIsNotLeased) {
  ScriptedHost scripted(&fixture_, "h1", 8);
  scripted.request.set_memory_mib(400);
  ASSERT_OK(scripted.Call());
  Client client(fixture_, Request());
  const std::string token = AwaitShell(scripted).token();
  fixture_.MustSubmit(fixture_.Request(1));
  EXPECT_THAT(scripted.Leases(), IsEmpty());
  {
    Host host(fixture_, token);
    host.End(0);
    EXPECT_TRUE(client.Read().has_end());
    client.HalfClose();
    EXPECT_OK(host.Finish());
  }
  EXPECT_THAT(scripted.Leases(), SizeIs(1));
}

TEST_F(ShellsTest, MalformedRequestsAreRefused) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  auto refused = [&](v1::ShellRequest request, const std::string& why) {
    EXPECT_THAT(Refusal(request),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  };
  v1::ShellRequest request = Request();
  request.set_topology("1n0l");
  refused(request, "1n0l");
  request = Request();
  request.set_memory_mib(127);
  refused(request, "memory_mib is 127");
  request = Request();
  request.mutable_files(0)->set_guest_path("/bin/../init");
  refused(request, "/bin/../init");
  request = Request();
  request.mutable_kernel()->set_sha256("../../lock");
  refused(request, "kernel");
  request = Request();
  request.mutable_start()->set_term(std::string(1000, 't'));
  refused(request, "TERM");
  request = Request();
  request.mutable_kernel()->set_sha256(std::string(64, '0'));
  EXPECT_THAT(Refusal(request), StatusIs(absl::StatusCode::kFailedPrecondition,
                                         HasSubstr("upload it first")));
}

TEST_F(ShellsTest, StoppingEndsEveryShell) {
  ScriptedHost scripted(&fixture_, "h1", 4);
  ASSERT_OK(scripted.Call());
  Client waiting(fixture_, Request());
  AwaitShell(scripted);
  fixture_.Stop();
  EXPECT_THAT(waiting.Finish(), testing::Not(::absl_testing::IsOk()));
}

}  // namespace
}  // namespace ktstr::coordinator
