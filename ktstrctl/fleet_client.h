// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_FLEET_CLIENT_H_
#define KTSTR_KTSTRCTL_FLEET_CLIENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace grpc {
class ChannelInterface;
class ClientContext;
}  // namespace grpc

namespace ktstr::v1 {
class GetRunResponse;
class ListHostsResponse;
class SubmitRequest;
class SubmitResponse;
class WatchRunResponse;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// A connection to one coordinator.
//
// Threads: any.
// Errors:  what the coordinator answered (proto/fleet.proto); Unavailable
//          "cannot reach coordinator at ADDRESS" when nobody did.
class FleetClient {
 public:
  // Blocks: at most `timeout`, until the coordinator accepts the connection.
  static absl::StatusOr<std::unique_ptr<FleetClient>> Connect(
      absl::string_view address, absl::Duration timeout = absl::Seconds(3));

  const std::string& address() const { return address_; }
  // For streams that last.
  const std::shared_ptr<grpc::ChannelInterface>& channel() const {
    return channel_;
  }

  // Whether the connection stands.
  //
  // Blocks: at most `timeout`, while it is made again.
  bool AwaitConnection(absl::Duration timeout = absl::Seconds(3));

  absl::StatusOr<v1::SubmitResponse> Submit(const v1::SubmitRequest& request);
  absl::StatusOr<v1::GetRunResponse> GetRun(const std::string& run_id);
  absl::StatusOr<v1::ListHostsResponse> ListHosts();
  absl::Status CancelRun(const std::string& run_id);

  // Which of the blobs the coordinator lacks.
  absl::StatusOr<std::vector<std::string>> FindMissing(
      const std::vector<std::string>& sha256);

  // Sends the file's bytes, which the caller has hashed. `on_sent`, if any, is
  // called with the bytes sent so far.
  absl::Status Upload(const std::string& path, const std::string& sha256,
                      int64_t size_bytes,
                      const std::function<void(int64_t)>& on_sent);

  // One WatchRun stream, until it ends; `context` lets another thread end it.
  // OK when the coordinator ended it.
  absl::Status WatchRun(
      grpc::ClientContext* context, const std::string& run_id,
      int64_t after_version,
      const std::function<void(const v1::WatchRunResponse&)>& on_batch);

 private:
  FleetClient(std::string address,
              std::shared_ptr<grpc::ChannelInterface> channel)
      : address_(std::move(address)), channel_(std::move(channel)) {}

  const std::string address_;
  const std::shared_ptr<grpc::ChannelInterface> channel_;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_FLEET_CLIENT_H_
