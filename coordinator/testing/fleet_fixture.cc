// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/testing/fleet_fixture.h"

#include <stdlib.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/sha256.h"
#include "coordinator/converters/grpc_status.h"
#include "grpc/grpc.h"
#include "grpcpp/create_channel.h"

namespace ktstr::coordinator {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

// A fixture that cannot be built ends the test program.
void MustBeOk(const absl::Status& status) {
  if (status.ok()) return;
  spdlog::critical("{}", status.ToString());
  abort();
}

bool IsSame(const v1::AttemptKey& a, const v1::AttemptKey& b) {
  return a.run_id() == b.run_id() && a.variant() == b.variant() &&
         a.epoch() == b.epoch();
}

// gRPC's shutdown, run when the last channel goes, may wait ten seconds for its
// own poller; one reference that is never given back avoids it.
void KeepGrpcAlive() {
  static const bool is_alive = [] {
    grpc_init();
    return true;
  }();
  (void)is_alive;
}

}  // namespace

FleetFixture::FleetFixture() : dir_(TempDir::Create("fleet").value()) {
  KeepGrpcAlive();
  Start();
}

FleetFixture::~FleetFixture() { Stop(); }

void FleetFixture::Start() {
  absl::StatusOr<Environment> environment = OpenEnvironment(
      {.data_dir = JoinPath(dir_.path(), "data")}, &clock, &random_);
  MustBeOk(environment.status());
  environment_ = std::make_unique<Environment>(*std::move(environment));
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(
      environment_.get(), absl::StrCat("unix:", dir_.path(), "/socket"));
  MustBeOk(server.status());
  server_ = *std::move(server);
  auto channel = grpc::CreateChannel(server_->address(),
                                     grpc::InsecureChannelCredentials());
  fleet = v1::Fleet::NewStub(channel);
  hosts = v1::Hosts::NewStub(channel);
  artifacts = v1::Artifacts::NewStub(channel);
  shells = v1::Shells::NewStub(channel);
}

void FleetFixture::Stop() {
  server_.reset();
  environment_.reset();
}

void FleetFixture::Restart() {
  Stop();
  Start();
}

absl::StatusOr<v1::SubmitResponse> FleetFixture::Submit(
    const v1::SubmitRequest& request) {
  grpc::ClientContext context;
  v1::SubmitResponse response;
  absl::Status status =
      FromGrpcStatus(fleet->Submit(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

std::string FleetFixture::MustSubmit(const v1::SubmitRequest& request) {
  absl::StatusOr<v1::SubmitResponse> response = Submit(request);
  MustBeOk(response.status());
  return response->run_id();
}

v1::GetRunResponse FleetFixture::GetRun(const std::string& run_id) {
  grpc::ClientContext context;
  v1::GetRunRequest request;
  v1::GetRunResponse response;
  request.set_run_id(run_id);
  MustBeOk(FromGrpcStatus(fleet->GetRun(&context, request, &response)));
  return response;
}

absl::Status FleetFixture::Cancel(const std::string& run_id) {
  grpc::ClientContext context;
  v1::CancelRunRequest request;
  v1::CancelRunResponse response;
  request.set_run_id(run_id);
  return FromGrpcStatus(fleet->CancelRun(&context, request, &response));
}

absl::Status FleetFixture::Upload(const std::string& sha256, int64_t size_bytes,
                                  const std::string& content) {
  grpc::ClientContext context;
  v1::UploadResponse response;
  auto writer = artifacts->Upload(&context, &response);
  v1::UploadRequest request;
  request.set_sha256(sha256);
  request.set_size_bytes(size_bytes);
  // A refused upload ends early; Finish() says why.
  bool is_open = writer->Write(request);
  request.Clear();
  for (size_t at = 0; is_open && at < content.size(); at += kPieceBytes) {
    request.set_data(content.substr(at, kPieceBytes));
    is_open = writer->Write(request);
  }
  writer->WritesDone();
  return FromGrpcStatus(writer->Finish());
}

v1::ArtifactRef FleetFixture::Artifact(const std::string& name,
                                       const std::string& content) {
  v1::ArtifactRef ref;
  ref.set_name(name);
  ref.set_sha256(Sha256Hex(content));
  ref.set_size_bytes(content.size());
  MustBeOk(Upload(ref.sha256(), ref.size_bytes(), content));
  return ref;
}

v1::SubmitRequest FleetFixture::Request(int tests) {
  v1::SubmitRequest request;
  request.set_request_id(absl::StrCat("request-", ++requests_));
  v1::SubmittedSuite& suite = *request.add_suites();
  *suite.mutable_binary() = Artifact("suite", "suite bytes");
  suite.mutable_description()->set_format_version(1);
  suite.mutable_description()->set_name("suite");
  suite.mutable_description()->set_arch("x86_64");
  for (int i = 0; i < tests; ++i) {
    v1::TestDescription& test = *suite.mutable_description()->add_tests();
    test.set_name(absl::StrCat("t", i));
    test.set_topology("1n1l2c1t");
    test.mutable_duration()->set_seconds(2);
    test.set_workers_per_cgroup(2);
  }
  v1::KernelSpec& kernel = *request.add_kernels();
  kernel.set_label("k");
  kernel.set_has_sched_ext(true);
  *kernel.mutable_image() = Artifact("vmlinux", "kernel bytes");
  return request;
}

ScriptedHost::ScriptedHost(FleetFixture* fixture, std::string id, int cpus,
                           std::string incarnation)
    : fixture_(*fixture) {
  request.set_host_id(std::move(id));
  request.set_incarnation(std::move(incarnation));
  request.set_cpus(cpus);
  request.set_memory_mib(65536);
}

absl::StatusOr<v1::SynchronizeResponse> ScriptedHost::Call(
    absl::Duration max_wait) {
  *request.mutable_max_wait() = ToProtoDuration(max_wait);
  grpc::ClientContext context;
  v1::SynchronizeResponse response;
  absl::Status status =
      FromGrpcStatus(fixture_.hosts->Synchronize(&context, request, &response));
  if (!status.ok()) return status;
  for (const v1::AttemptKey& key : response.acknowledged()) {
    auto& finished = *request.mutable_finished();
    for (int i = finished.size() - 1; i >= 0; --i) {
      if (IsSame(finished[i].key(), key)) finished.DeleteSubrange(i, 1);
    }
  }
  for (const v1::AttemptKey& key : response.revoked()) Forget(key);
  for (const v1::Attempt& lease : response.leases()) {
    *request.add_running()->mutable_key() = lease.key();
  }
  return response;
}

std::vector<v1::Attempt> ScriptedHost::Leases(absl::Duration max_wait) {
  absl::StatusOr<v1::SynchronizeResponse> response = Call(max_wait);
  MustBeOk(response.status());
  return {response->leases().begin(), response->leases().end()};
}

void ScriptedHost::Finish(const v1::AttemptKey& key, v1::Outcome outcome,
                          const std::string& reason) {
  Forget(key);
  v1::AttemptResult& result = *request.add_finished();
  *result.mutable_key() = key;
  result.set_outcome(outcome);
  result.set_reason(reason);
}

void ScriptedHost::Forget(const v1::AttemptKey& key) {
  auto& running = *request.mutable_running();
  for (int i = running.size() - 1; i >= 0; --i) {
    if (IsSame(running[i].key(), key)) running.DeleteSubrange(i, 1);
  }
}

}  // namespace ktstr::coordinator
