// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/hello.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "hostd/text.h"

namespace ktstr::hostd {
namespace {

constexpr int kProtocol = 1;

uint32_t LittleEndian32(absl::string_view bytes) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

}  // namespace

absl::StatusOr<std::optional<ktstr::v1::Hello>> HelloParser::Append(
    absl::string_view bytes) {
  if (bytes_.size() + bytes.size() > 4 + kMaxBytes) {
    return absl::InvalidArgumentError("hello longer than 65,536 bytes");
  }
  absl::StrAppend(&bytes_, bytes);
  if (bytes_.size() < 4) return std::nullopt;
  uint32_t size = LittleEndian32(bytes_);
  if (size == 0 || size > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("hello of ", size, " bytes; accepted are 1 to 65,536"));
  }
  if (bytes_.size() < 4 + size) return std::nullopt;
  if (bytes_.size() > 4 + size) {
    return absl::InvalidArgumentError("bytes behind the hello");
  }
  ktstr::v1::Hello hello;
  if (!hello.ParseFromString(bytes_.substr(4))) {
    return absl::InvalidArgumentError("bytes that are no Hello message");
  }
  return hello;
}

absl::Status CheckHello(const ktstr::v1::Hello& hello, int64_t epoch,
                        absl::string_view nonce) {
  if (hello.protocol() != kProtocol) {
    return absl::InvalidArgumentError(absl::StrCat(
        "hello of protocol ", hello.protocol(), ", expected ", kProtocol));
  }
  if (hello.epoch() != epoch) {
    return absl::InvalidArgumentError(absl::StrCat(
        "hello of attempt epoch ", hello.epoch(), ", expected ", epoch));
  }
  if (hello.nonce() != nonce) {
    return absl::InvalidArgumentError("hello with another attempt's nonce");
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> ListenOnUnixSocket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "socket path ", path, " has ", path.size(), " bytes; at most ",
        sizeof(address.sun_path) - 1, " fit: choose a shorter --run-dir"));
  }
  memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return absl::ErrnoToStatus(errno, "socket");
  // SAFETY: sockaddr_un starts as sockaddr, as bind(2) requires.
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
      0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("bind ", path));
  }
  if (listen(fd.get(), HelloListener::kMaxPending) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("listen ", path));
  }
  return fd;
}

absl::StatusOr<HelloListener> HelloListener::Create(const std::string& path,
                                                    int64_t epoch,
                                                    std::string nonce) {
  absl::StatusOr<UniqueFd> fd = ListenOnUnixSocket(path);
  if (!fd.ok()) return fd.status();
  return HelloListener(path, *std::move(fd), epoch, std::move(nonce));
}

HelloListener::HelloListener(std::string path, UniqueFd listener, int64_t epoch,
                             std::string nonce)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      epoch_(epoch),
      nonce_(std::move(nonce)) {}

HelloListener::~HelloListener() {
  if (!path_.empty()) unlink(path_.c_str());
}

void HelloListener::AddPollFds(std::vector<pollfd>* polled) const {
  if (hello_ || is_exhausted()) return;
  if (pending_.size() < kMaxPending) {
    polled->push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
  }
  for (const Pending& pending : pending_) {
    polled->push_back({.fd = pending.fd.get(), .events = POLLIN, .revents = 0});
  }
}

void HelloListener::HandleEvents() {
  if (hello_ || is_exhausted()) return;
  Accept();
  for (size_t i = 0; i < pending_.size() && !hello_;) {
    if (Read(&pending_[i])) {
      ++i;
    } else {
      pending_.erase(pending_.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  if (!hello_) return;
  pending_.clear();
  listener_.Reset();
}

void HelloListener::Accept() {
  while (pending_.size() < kMaxPending) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr,
                        SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    pending_.emplace_back().fd = std::move(fd);
  }
}

bool HelloListener::Read(Pending* pending) {
  char buffer[4096];
  ssize_t count = recv(pending->fd.get(), buffer, sizeof(buffer), 0);
  if (count < 0) {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  }
  if (count == 0) {
    Refuse("connection closed before a whole hello");
    return false;
  }
  auto hello = pending->parser.Append(
      absl::string_view(buffer, static_cast<size_t>(count)));
  absl::Status status = hello.status();
  if (status.ok() && !hello->has_value()) return true;
  if (status.ok()) status = CheckHello(**hello, epoch_, nonce_);
  if (!status.ok()) {
    Refuse(status.message());
    return false;
  }
  hello_ = **std::move(hello);
  connection_ = std::move(pending->fd);
  return false;
}

void HelloListener::Refuse(absl::string_view why) {
  refused_ = PrintableText(why);
  ++refusals_;
}

}  // namespace ktstr::hostd
