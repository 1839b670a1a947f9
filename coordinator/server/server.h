// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_SERVER_SERVER_H_
#define KTSTR_COORDINATOR_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "base/thread.h"
#include "coordinator/handlers/artifacts.h"
#include "coordinator/handlers/fleet.h"
#include "coordinator/handlers/hosts.h"
#include "coordinator/handlers/shells.h"
#include "coordinator/server/environment.h"
#include "grpcpp/server.h"

namespace ktstr::coordinator {

// Serves an environment over gRPC and takes leases from lost hosts.
//
// Threads:  gRPC's own, and one that waits for the next host to expire.
// Lifetime: the environment outlives the server. The destructor stops it.
class Server {
 public:
  // `address` is "unix:PATH" or "HOST:PORT" with a numeric host; port 0 picks
  // one. A socket file nobody listens on is replaced.
  //
  // Errors:
  //   InvalidArgument  the address has neither form, or the path is too long.
  //   AlreadyExists    somebody listens there.
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      Environment* environment, const std::string& address);
  ~Server();

  // Where clients connect, in the form Start() takes.
  const std::string& address() const { return address_; }

  // Ends held calls, lets the others finish for a moment, closes. The socket
  // file is removed. A second call does nothing.
  //
  // Blocks: until every handler has returned.
  void Stop();

 private:
  explicit Server(Environment* environment);
  absl::Status Listen(const std::string& address);
  void ExpireHostsUntilStopped();

  Environment& environment_;
  std::string address_;
  std::string socket_path_;
  FleetService fleet_;
  HostsService hosts_;
  ArtifactsService artifacts_;
  ShellsService shells_;
  std::unique_ptr<grpc::Server> server_;
  absl::Notification stopping_;
  Thread expiry_;  // first to end
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_SERVER_SERVER_H_
