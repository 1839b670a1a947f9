// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_DAEMON_H_
#define KTSTR_GUESTD_DAEMON_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "guestd/channel.h"
#include "guestd/event_loop.h"
#include "guestd/service.h"
#include "guestd/session.h"
#include "guestd/shell.h"

namespace grpc {
class Server;
}  // namespace grpc

namespace ktstr::guestd {

// Why the guest shall be powered off.
enum class DaemonEnd {
  kPowerOff,     // the host asked
  kHostGone,     // the host hung up
  kNoTest,       // no RunTest or Shell within the limit
  kServerFailed  // gRPC did not start
};
absl::string_view DaemonEndName(DaemonEnd end);

struct DaemonOptions {
  SessionOptions session;
  ShellOptions shell;
  std::string init_error;
  // From the hello to RunTest or Shell.
  absl::Duration run_deadline = absl::Minutes(2);
  // For calls in flight when the end has come.
  absl::Duration drain = absl::Seconds(1);
};

// guestd between the hello and the end: gRPC over every accepted connection.
//
// Threads: Run() in the caller's; gRPC's own for calls.
class Daemon {
 public:
  Daemon(DaemonOptions options, Channel channel);
  ~Daemon();

  // Serves until the guest shall end; every call is over then.
  DaemonEnd Run();

 private:
  bool StartServer();
  void AcceptConnections();
  void OnSignal();
  void OnHost();
  void Signal(uint64_t bit);

  const DaemonOptions options_;
  Channel channel_;
  EventLoop loop_;
  // An eventfd through which gRPC's threads wake Run(); see daemon.cc for its
  // values.
  UniqueFd signal_;
  bool has_test_ = false;
  bool is_over_ = false;
  DaemonEnd end_ = DaemonEnd::kNoTest;
  GuestService service_;
  // Shut down before the service goes.
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_DAEMON_H_
