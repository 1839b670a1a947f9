// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/fleet_client.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "grpcpp/grpcpp.h"
#include "ktstrctl/address.h"
#include "ktstrctl/rpc_status.h"
#include "proto/artifact.grpc.pb.h"
#include "proto/fleet.grpc.pb.h"

namespace ktstr::ktstrctl {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);
constexpr absl::Duration kCancelTimeout = absl::Seconds(10);
// Expansion of a large gauntlet takes its time.
constexpr absl::Duration kSubmitTimeout = absl::Minutes(5);
constexpr absl::Duration kUploadTimeout = absl::Minutes(30);
constexpr int kMaxMessageBytes = 256 << 20;
// The coordinator allows one ping a second.
constexpr int kKeepaliveMs = 20000;
constexpr size_t kPieceBytes = 1 << 20;
constexpr size_t kMaxNamesPerCall = 10000;

grpc::ChannelArguments ChannelOptions() {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // A person waits in front of a shell whose coordinator vanished silently.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A list of many variants with their log tails is long.
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  return arguments;
}

void SetTimeout(absl::Duration timeout, grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() +
                       absl::ToChronoMilliseconds(timeout));
}

absl::Status Unreachable(const std::string& address) {
  return absl::UnavailableError(
      absl::StrCat("cannot reach coordinator at ", address));
}

// An answer's error as it is; a broken connection with the address.
absl::Status Explain(const grpc::Status& status, const std::string& address) {
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    return Annotate(Unreachable(address), "connection lost");
  }
  return FromRpc(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FleetClient>> FleetClient::Connect(
    absl::string_view address, absl::Duration timeout) {
  ABSL_ASSIGN_OR_RETURN(std::string target, GrpcTarget(address));
  std::shared_ptr<grpc::Channel> channel = grpc::CreateCustomChannel(
      target, grpc::InsecureChannelCredentials(), ChannelOptions());
  std::unique_ptr<FleetClient> client(
      new FleetClient(std::string(address), std::move(channel)));
  if (!client->AwaitConnection(timeout)) return Unreachable(client->address());
  return client;
}

bool FleetClient::AwaitConnection(absl::Duration timeout) {
  return channel_->WaitForConnected(std::chrono::system_clock::now() +
                                    absl::ToChronoMilliseconds(timeout));
}

absl::StatusOr<v1::SubmitResponse> FleetClient::Submit(
    const v1::SubmitRequest& request) {
  grpc::ClientContext context;
  SetTimeout(kSubmitTimeout, context);
  v1::SubmitResponse response;
  grpc::Status status =
      v1::Fleet::NewStub(channel_)->Submit(&context, request, &response);
  if (!status.ok()) return Explain(status, address_);
  return response;
}

absl::StatusOr<v1::GetRunResponse> FleetClient::GetRun(
    const std::string& run_id) {
  grpc::ClientContext context;
  SetTimeout(kCallTimeout, context);
  v1::GetRunRequest request;
  request.set_run_id(run_id);
  v1::GetRunResponse response;
  grpc::Status status =
      v1::Fleet::NewStub(channel_)->GetRun(&context, request, &response);
  if (!status.ok()) return Explain(status, address_);
  return response;
}

absl::StatusOr<v1::ListHostsResponse> FleetClient::ListHosts() {
  grpc::ClientContext context;
  SetTimeout(kCallTimeout, context);
  v1::ListHostsResponse response;
  grpc::Status status =
      v1::Fleet::NewStub(channel_)->ListHosts(&context, {}, &response);
  if (!status.ok()) return Explain(status, address_);
  return response;
}

absl::Status FleetClient::CancelRun(const std::string& run_id) {
  grpc::ClientContext context;
  SetTimeout(kCancelTimeout, context);
  // The coordinator may be just coming back.
  context.set_wait_for_ready(true);
  v1::CancelRunRequest request;
  request.set_run_id(run_id);
  v1::CancelRunResponse response;
  return Explain(
      v1::Fleet::NewStub(channel_)->CancelRun(&context, request, &response),
      address_);
}

absl::StatusOr<std::vector<std::string>> FleetClient::FindMissing(
    const std::vector<std::string>& sha256) {
  std::vector<std::string> missing;
  auto stub = v1::Artifacts::NewStub(channel_);
  for (size_t i = 0; i < sha256.size(); i += kMaxNamesPerCall) {
    grpc::ClientContext context;
    SetTimeout(kCallTimeout, context);
    v1::FindMissingRequest request;
    for (size_t j = i; j < std::min(sha256.size(), i + kMaxNamesPerCall); ++j) {
      request.add_sha256(sha256[j]);
    }
    v1::FindMissingResponse response;
    grpc::Status status = stub->FindMissing(&context, request, &response);
    if (!status.ok()) return Explain(status, address_);
    missing.insert(missing.end(), response.sha256().begin(),
                   response.sha256().end());
  }
  return missing;
}

absl::Status FleetClient::Upload(const std::string& path,
                                 const std::string& sha256, int64_t size_bytes,
                                 const std::function<void(int64_t)>& on_sent) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd file, OpenFile(path, O_RDONLY));
  grpc::ClientContext context;
  SetTimeout(kUploadTimeout, context);
  v1::UploadResponse response;
  auto stub = v1::Artifacts::NewStub(channel_);
  auto writer = stub->Upload(&context, &response);
  v1::UploadRequest piece;
  piece.set_sha256(sha256);
  piece.set_size_bytes(size_bytes);
  bool is_open = writer->Write(piece);
  piece.Clear();
  std::string buffer(kPieceBytes, '\0');
  int64_t sent = 0;
  while (is_open) {
    ssize_t count = read(file.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      absl::Status error = absl::ErrnoToStatus(errno, "read " + path);
      context.TryCancel();
      writer->Finish();
      return error;
    }
    if (count == 0) break;
    piece.set_data(buffer.data(), count);
    is_open = writer->Write(piece);
    sent += count;
    if (on_sent) on_sent(sent);
  }
  writer->WritesDone();
  return Annotate(Explain(writer->Finish(), address_), "upload " + path);
}

absl::Status FleetClient::WatchRun(
    grpc::ClientContext* context, const std::string& run_id,
    int64_t after_version,
    const std::function<void(const v1::WatchRunResponse&)>& on_batch) {
  v1::WatchRunRequest request;
  request.set_run_id(run_id);
  request.set_after_version(after_version);
  auto stub = v1::Fleet::NewStub(channel_);
  auto reader = stub->WatchRun(context, request);
  v1::WatchRunResponse batch;
  while (reader->Read(&batch)) on_batch(batch);
  return Explain(reader->Finish(), address_);
}

}  // namespace ktstr::ktstrctl
