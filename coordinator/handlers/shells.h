// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_HANDLERS_SHELLS_H_
#define KTSTR_COORDINATOR_HANDLERS_SHELLS_H_

#include "absl/time/time.h"
#include "coordinator/server/environment.h"
#include "proto/shells.grpc.pb.h"

namespace ktstr::coordinator {

// Joins clients' streams with hosts'; the contract is proto/shells.proto.
//
// Lifetime: the environment outlives the service.
// Threads:  any; each call holds its thread until the shell is over.
class ShellsService final : public v1::Shells::Service {
 public:
  using ClientStream =
      grpc::ServerReaderWriter<v1::ShellOutput, v1::OpenShellRequest>;
  using HostStream =
      grpc::ServerReaderWriter<v1::ShellInput, v1::AttachShellRequest>;

  // A host that does not attach within `attach_timeout` is not waited for.
  explicit ShellsService(Environment* environment,
                         absl::Duration attach_timeout = absl::Seconds(20))
      : environment_(*environment), attach_timeout_(attach_timeout) {}

  grpc::Status Open(grpc::ServerContext* context,
                    ClientStream* stream) override;
  grpc::Status Attach(grpc::ServerContext* context,
                      HostStream* stream) override;

 private:
  Environment& environment_;
  const absl::Duration attach_timeout_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_HANDLERS_SHELLS_H_
