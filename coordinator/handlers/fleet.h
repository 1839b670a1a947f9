// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_HANDLERS_FLEET_H_
#define KTSTR_COORDINATOR_HANDLERS_FLEET_H_

#include "coordinator/server/environment.h"
#include "proto/fleet.grpc.pb.h"

namespace ktstr::coordinator {

// What clients ask; the contract is proto/fleet.proto.
//
// Lifetime: the environment outlives the service.
// Threads:  any; WatchRun holds its thread for as long as it streams.
class FleetService final : public v1::Fleet::Service {
 public:
  explicit FleetService(Environment* environment)
      : environment_(*environment) {}

  grpc::Status Submit(grpc::ServerContext* context,
                      const v1::SubmitRequest* request,
                      v1::SubmitResponse* response) override;
  grpc::Status GetRun(grpc::ServerContext* context,
                      const v1::GetRunRequest* request,
                      v1::GetRunResponse* response) override;
  // A message without changes is sent whenever nothing happened for a while, so
  // that each side notices the other's death.
  grpc::Status WatchRun(
      grpc::ServerContext* context, const v1::WatchRunRequest* request,
      grpc::ServerWriter<v1::WatchRunResponse>* writer) override;
  grpc::Status CancelRun(grpc::ServerContext* context,
                         const v1::CancelRunRequest* request,
                         v1::CancelRunResponse* response) override;
  grpc::Status ListHosts(grpc::ServerContext* context,
                         const v1::ListHostsRequest* request,
                         v1::ListHostsResponse* response) override;

 private:
  Environment& environment_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_HANDLERS_FLEET_H_
