// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

// After sys/socket.h.
#include <linux/vm_sockets.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/guest_layout.h"

namespace ktstr::guestd {
namespace {

absl::StatusOr<UniqueFd> VsockSocket(int flags) {
  UniqueFd fd(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (fd) return fd;
  if (errno == EAFNOSUPPORT) {
    return absl::UnimplementedError(
        "this kernel has no vsock (CONFIG_VSOCKETS and "
        "CONFIG_VIRTIO_VSOCKETS, or their modules, are needed)");
  }
  return absl::ErrnoToStatus(errno, "create vsock socket");
}

sockaddr_vm VsockAddress(uint32_t cid, uint32_t port) {
  sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_cid = cid;
  address.svm_port = port;
  return address;
}

absl::StatusOr<UniqueFd> Listen() {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, VsockSocket(SOCK_NONBLOCK));
  sockaddr_vm address = VsockAddress(VMADDR_CID_ANY, kGuestServicePort);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
          0 ||
      listen(fd.get(), 4) != 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("listen on vsock port ", kGuestServicePort));
  }
  return fd;
}

absl::StatusOr<UniqueFd> Connect(absl::Duration timeout) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, VsockSocket(0));
  timeval limit = absl::ToTimeval(timeout);
  setsockopt(fd.get(), AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &limit,
             sizeof(limit));
  sockaddr_vm address = VsockAddress(VMADDR_CID_HOST, kHostHelloPort);
  while (connect(fd.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)) != 0) {
    if (errno == EINTR) continue;
    return absl::ErrnoToStatus(
        errno,
        absl::StrCat("connect to the host's vsock port ", kHostHelloPort));
  }
  return fd;
}

}  // namespace

absl::StatusOr<Channel> OpenVsockChannel(absl::Duration timeout) {
  Channel channel;
  ABSL_ASSIGN_OR_RETURN(channel.listener, Listen());
  ABSL_ASSIGN_OR_RETURN(channel.host, Connect(timeout));
  return channel;
}

absl::Status WriteHello(int fd, const v1::Hello& hello) {
  std::string payload = hello.SerializeAsString();
  if (payload.size() > kMaxHelloBytes) {
    return absl::InvalidArgumentError("hello is longer than 65536 bytes");
  }
  std::string bytes;
  for (int i = 0; i < 4; ++i) {
    bytes.push_back(static_cast<char>(payload.size() >> (8 * i) & 0xff));
  }
  return Annotate(WriteAll(fd, bytes + payload), "write hello");
}

}  // namespace ktstr::guestd
