// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/server_posix.h"

namespace ktstr::guestd {
namespace {

// Values added to the eventfd: far apart, so that one read tells both.
constexpr uint64_t kRunArrived = 1;
constexpr uint64_t kPowerOffAsked = uint64_t{1} << 32;

}  // namespace

absl::string_view DaemonEndName(DaemonEnd end) {
  switch (end) {
    case DaemonEnd::kPowerOff:
      return "the host asked for it";
    case DaemonEnd::kHostGone:
      return "the host hung up";
    case DaemonEnd::kNoTest:
      return "no test arrived in time";
    case DaemonEnd::kServerFailed:
      return "gRPC did not start";
  }
  return "unknown";
}

Daemon::Daemon(DaemonOptions options, Channel channel)
    : options_(std::move(options)),
      channel_(std::move(channel)),
      signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      service_(options_.session, options_.shell, options_.init_error,
               {.on_run = [this] { Signal(kRunArrived); },
                .on_power_off = [this] { Signal(kPowerOffAsked); }}) {}

Daemon::~Daemon() = default;

void Daemon::Signal(uint64_t bit) {
  ssize_t ignored = write(signal_.get(), &bit, sizeof(bit));
  (void)ignored;
}

bool Daemon::StartServer() {
  grpc::ServerBuilder builder;
  builder.RegisterService(&service_);
  // Two calls at most are ever in flight.
  using Option = grpc::ServerBuilder::SyncServerOption;
  builder.SetSyncServerOption(Option::NUM_CQS, 1);
  builder.SetSyncServerOption(Option::MIN_POLLERS, 1);
  builder.SetSyncServerOption(Option::MAX_POLLERS, 2);
  server_ = builder.BuildAndStart();
  return server_ != nullptr;
}

void Daemon::AcceptConnections() {
  while (true) {
    int fd = accept4(channel_.listener.get(), nullptr, nullptr,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno == EINTR) continue;
    if (fd < 0) return;
    grpc::AddInsecureChannelFromFd(server_.get(), fd);  // owns it from here
  }
}

void Daemon::OnSignal() {
  uint64_t value = 0;
  if (read(signal_.get(), &value, sizeof(value)) != sizeof(value)) return;
  has_test_ |= value % kPowerOffAsked > 0;
  if (value / kPowerOffAsked > 0) {
    is_over_ = true;
    end_ = DaemonEnd::kPowerOff;
  }
}

void Daemon::OnHost() {
  char ignored[512];
  ssize_t count =
      recv(channel_.host.get(), ignored, sizeof(ignored), MSG_DONTWAIT);
  if (count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR))) return;
  is_over_ = true;
  end_ = DaemonEnd::kHostGone;
}

DaemonEnd Daemon::Run() {
  if (!StartServer()) return DaemonEnd::kServerFailed;
  loop_.Watch(channel_.listener.get(), POLLIN, [this] { AcceptConnections(); });
  loop_.Watch(channel_.host.get(), POLLIN | POLLRDHUP, [this] { OnHost(); });
  loop_.Watch(signal_.get(), POLLIN, [this] { OnSignal(); });
  absl::Duration deadline = RealClock().Monotonic() + options_.run_deadline;
  while (!is_over_) {
    absl::Duration until = has_test_ ? absl::InfiniteDuration() : deadline;
    if (RealClock().Monotonic() >= until) break;
    loop_.RunOnce(until);
  }
  // Lets the answer to PowerOff out, and cancels a session whose host is gone.
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoMilliseconds(options_.drain));
  return end_;
}

}  // namespace ktstr::guestd
