// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/server/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"

namespace ktstr::coordinator {
namespace {

constexpr absl::string_view kUnix = "unix:";
// Results carry logs; a host may report many at once.
constexpr int kMaxMessageBytes = 256 << 20;
// For calls in flight when the server stops.
constexpr absl::Duration kStopGrace = absl::Seconds(2);
// Between two attempts to write after the store failed.
constexpr absl::Duration kRetryExpiry = absl::Seconds(1);
// Notices clients that vanish without closing their connection.
constexpr int kKeepaliveMs = 20000;
// Clients may do the same, no more often than this.
constexpr int kMinClientPingMs = 1000;

// A socket file without a listener is left over from a killed process.
absl::Status RemoveStaleSocket(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "socket path \"", path, "\" has ", path.size(),
        " bytes, accepted are 1 to ", sizeof(address.sun_path) - 1));
  }
  memcpy(address.sun_path, path.data(), path.size());
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path, " exists and is not a socket"));
  }
  UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // SAFETY: sockaddr_un is the AF_UNIX form of sockaddr.
  if (connect(probe.get(), reinterpret_cast<sockaddr*>(&address),
              sizeof(address)) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("another process listens on ", path));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return absl::ErrnoToStatus(errno, absl::StrCat("remove ", path));
  }
  return absl::OkStatus();
}

absl::Status CheckHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon != std::string::npos && colon > 0 &&
      absl::SimpleAtoi(address.substr(colon + 1), &port) && port >= 0 &&
      port <= 65535) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "listening address \"", address,
      "\" is neither unix:PATH nor HOST:PORT (such as 127.0.0.1:7070)"));
}

}  // namespace

Server::Server(Environment* environment)
    : environment_(*environment),
      fleet_(environment),
      hosts_(environment),
      artifacts_(environment),
      shells_(environment) {}

Server::~Server() { Stop(); }

absl::StatusOr<std::unique_ptr<Server>> Server::Start(
    Environment* environment, const std::string& address) {
  std::unique_ptr<Server> server(new Server(environment));
  ABSL_RETURN_IF_ERROR(server->Listen(address));
  Server* borrowed = server.get();
  server->expiry_ =
      Thread("expiry", [borrowed] { borrowed->ExpireHostsUntilStopped(); });
  return server;
}

absl::Status Server::Listen(const std::string& address) {
  std::string socket_path;
  if (absl::StartsWith(address, kUnix)) {
    socket_path = std::string(absl::StripPrefix(address, kUnix));
    ABSL_RETURN_IF_ERROR(RemoveStaleSocket(socket_path));
  } else {
    ABSL_RETURN_IF_ERROR(CheckHostPort(address));
  }
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kMinClientPingMs);
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(-1);
  builder.RegisterService(&fleet_);
  builder.RegisterService(&hosts_);
  builder.RegisterService(&artifacts_);
  builder.RegisterService(&shells_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || (port == 0 && socket_path.empty())) {
    server_.reset();
    return absl::AlreadyExistsError(
        absl::StrCat("cannot listen on ", address,
                     ": the address is in use, not of this machine, or its "
                     "directory cannot be written"));
  }
  socket_path_ = socket_path;
  address_ =
      socket_path.empty()
          ? absl::StrCat(address.substr(0, address.rfind(':')), ":", port)
          : address;
  return absl::OkStatus();
}

void Server::ExpireHostsUntilStopped() {
  absl::Duration wait = absl::ZeroDuration();
  while (!stopping_.WaitForNotificationWithTimeout(wait)) {
    absl::StatusOr<absl::Duration> next = environment_.fleet->ExpireHosts();
    if (!next.ok()) spdlog::error("{}", next.status().ToString());
    wait = next.value_or(kRetryExpiry);
  }
}

void Server::Stop() {
  if (stopping_.HasBeenNotified()) return;
  stopping_.Notify();
  if (server_ != nullptr) {
    environment_.fleet->Stop();
    environment_.shells->Stop();
    server_->Shutdown(std::chrono::system_clock::now() +
                      absl::ToChronoMilliseconds(kStopGrace));
    server_->Wait();
  }
  expiry_.Join();
  if (!socket_path_.empty()) unlink(socket_path_.c_str());
}

}  // namespace ktstr::coordinator
