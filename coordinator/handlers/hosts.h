// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_HANDLERS_HOSTS_H_
#define KTSTR_COORDINATOR_HANDLERS_HOSTS_H_

#include "coordinator/server/environment.h"
#include "proto/hosts.grpc.pb.h"

namespace ktstr::coordinator {

// What hostd says; the contract is proto/hosts.proto.
//
// Lifetime: the environment outlives the service.
// Threads:  any; a held call holds its thread.
class HostsService final : public v1::Hosts::Service {
 public:
  explicit HostsService(Environment* environment)
      : environment_(*environment) {}

  grpc::Status Synchronize(grpc::ServerContext* context,
                           const v1::SynchronizeRequest* request,
                           v1::SynchronizeResponse* response) override;

 private:
  Environment& environment_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_HANDLERS_HOSTS_H_
