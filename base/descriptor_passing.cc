// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/descriptor_passing.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace ktstr {
namespace {

// Room for control data, aligned as the kernel wants it.
struct ControlBuffer {
  alignas(cmsghdr) char bytes[CMSG_SPACE(kMaxPassedDescriptors * sizeof(int))];
};

void TakeDescriptors(msghdr* message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr;
       header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

absl::Status SendDescriptors(int socket, absl::string_view bytes,
                             absl::Span<const int> fds) {
  if (bytes.empty() || fds.empty() || fds.size() > kMaxPassedDescriptors) {
    return absl::InvalidArgumentError(absl::StrCat(
        bytes.size(), " bytes with ", fds.size(),
        " descriptors; accepted are at least one of each and at most ",
        kMaxPassedDescriptors, " descriptors"));
  }
  ControlBuffer control = {};
  iovec data = {const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  ssize_t count = 0;
  do {
    count = sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return absl::ErrnoToStatus(errno, "send descriptors");
  if (static_cast<size_t>(count) != bytes.size()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "send descriptors: ", count, " of ", bytes.size(), " bytes went"));
  }
  return absl::OkStatus();
}

absl::StatusOr<PassedDescriptors> ReceiveDescriptors(int socket,
                                                     size_t max_bytes) {
  PassedDescriptors received;
  received.bytes.resize(max_bytes);
  ControlBuffer control = {};
  iovec data = {received.bytes.data(), max_bytes};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  ssize_t count = 0;
  do {
    count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (count < 0 && errno == EINTR);
  if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    return absl::UnavailableError("no descriptors were sent");
  }
  if (count < 0) return absl::ErrnoToStatus(errno, "receive descriptors");
  TakeDescriptors(&message, received.fds);
  if (count == 0) {
    return absl::OutOfRangeError("the sender of descriptors is gone");
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    return absl::DataLossError("descriptors were cut off");
  }
  received.bytes.resize(static_cast<size_t>(count));
  return received;
}

}  // namespace ktstr
