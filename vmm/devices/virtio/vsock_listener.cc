// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock_listener.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "vmm/devices/virtio/vsock_packet.h"

namespace ktstr::vmm {
namespace {

constexpr absl::string_view kVerb = "CONNECT ";
// "CONNECT 4294967295\n".
constexpr size_t kMaxLineBytes = 19;
constexpr absl::Duration kOutOfDescriptorsPause = absl::Milliseconds(100);

std::optional<uint32_t> ParseRequest(absl::string_view line) {
  if (!absl::ConsumePrefix(&line, kVerb)) return std::nullopt;
  if (!absl::ConsumeSuffix(&line, "\n")) return std::nullopt;
  // SimpleAtoi takes signs and spaces as well.
  if (!std::all_of(line.begin(), line.end(), absl::ascii_isdigit)) {
    return std::nullopt;
  }
  uint32_t port;
  if (!absl::SimpleAtoi(line, &port)) return std::nullopt;
  if (port == vsock::kAnyPort) return std::nullopt;
  return port;
}

}  // namespace

absl::StatusOr<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "socket path of ", path.size(), " bytes; accepted is 1 to ",
        sizeof(address.sun_path) - 1, ": ", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<std::unique_ptr<VsockListener>> VsockListener::Create(
    EventLoop* loop, const std::string& path, RequestCallback on_request) {
  ABSL_ASSIGN_OR_RETURN(const sockaddr_un address, UnixAddress(path));
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return absl::ErrnoToStatus(errno, "create the vsock listener");
  // SAFETY: the sockets interface takes every address as a sockaddr.
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0) {
    if (errno == EADDRINUSE) {
      return absl::AlreadyExistsError(
          absl::StrCat("listen on ", path, ": the path exists"));
    }
    return absl::ErrnoToStatus(errno, absl::StrCat("listen on ", path));
  }
  auto listener = std::unique_ptr<VsockListener>(
      new VsockListener(loop, path, std::move(fd), std::move(on_request)));
  if (listen(listener->fd_.get(), SOMAXCONN) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("listen on ", path));
  }
  return listener;
}

VsockListener::VsockListener(EventLoop* loop, std::string path, UniqueFd fd,
                             RequestCallback on_request)
    : loop_(loop),
      path_(std::move(path)),
      fd_(std::move(fd)),
      on_request_(std::move(on_request)) {}

VsockListener::~VsockListener() {
  DropHandshakes();
  Pause();
  loop_->CancelTimer(retry_timer_);
  unlink(path_.c_str());
}

void VsockListener::Resume() {
  is_resumed_ = true;
  UpdateAccepting();
}

void VsockListener::Pause() {
  is_resumed_ = false;
  UpdateAccepting();
}

void VsockListener::DropHandshakes() {
  while (!handshakes_.empty()) EndHandshake(handshakes_.begin()->first);
}

void VsockListener::UpdateAccepting() {
  const bool wanted =
      is_resumed_ && retry_timer_ == 0 && handshakes_.size() < kMaxHandshakes;
  if (wanted == is_watched_) return;
  if (wanted) {
    is_watched_ =
        loop_->Watch(fd_.get(), EPOLLIN, [this](uint32_t) { AcceptOne(); })
            .ok();
  } else {
    loop_->Unwatch(fd_.get());
    is_watched_ = false;
  }
}

void VsockListener::AcceptOne() {
  UniqueFd fd(
      accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM) return;
    retry_timer_ = loop_->AddTimer(kOutOfDescriptorsPause, [this] {
      retry_timer_ = 0;
      UpdateAccepting();
    });
    UpdateAccepting();
    return;
  }
  const int number = fd.get();
  if (!loop_
           ->Watch(number, EPOLLIN,
                   [this, number](uint32_t) { ContinueHandshake(number); })
           .ok()) {
    return;
  }
  const EventLoop::TimerId timeout = loop_->AddTimer(
      kHandshakeTimeout, [this, number] { EndHandshake(number); });
  handshakes_.emplace(
      number, Handshake{.fd = std::move(fd), .line = {}, .timeout = timeout});
  UpdateAccepting();
}

void VsockListener::ContinueHandshake(int fd) {
  std::string& line = handshakes_.at(fd).line;
  // Take the line and not a byte more: what follows belongs to the stream.
  char peeked[kMaxLineBytes];
  const size_t room = kMaxLineBytes - line.size();
  ssize_t n = recv(fd, peeked, room, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return EndHandshake(fd);
  const void* newline = std::memchr(peeked, '\n', n);
  if (newline != nullptr) {
    n = static_cast<const char*>(newline) - peeked + 1;
  }
  n = recv(fd, peeked, n, MSG_DONTWAIT);
  if (n <= 0) return EndHandshake(fd);
  line.append(peeked, n);
  if (newline == nullptr && line.size() < kMaxLineBytes) return;
  const std::optional<uint32_t> port = ParseRequest(line);
  UniqueFd client = std::move(handshakes_.at(fd).fd);
  EndHandshake(fd);
  if (port) on_request_(std::move(client), *port);
}

void VsockListener::EndHandshake(int fd) {
  auto it = handshakes_.find(fd);
  loop_->Unwatch(fd);
  loop_->CancelTimer(it->second.timeout);
  handshakes_.erase(it);
  UpdateAccepting();
}

}  // namespace ktstr::vmm
