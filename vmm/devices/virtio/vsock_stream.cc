// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock_stream.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include <algorithm>

namespace ktstr::vmm {

using vsock::kShutdownBoth;
using vsock::kShutdownReceive;
using vsock::kShutdownSend;

size_t VsockStream::SendToHost(absl::Span<const iovec> pieces,
                               size_t size_bytes) {
  if (is_host_deaf_) return size_bytes;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<size_t>(pieces.size(), IOV_MAX);
  const ssize_t n = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) return static_cast<size_t>(n);
  if (errno == EAGAIN || errno == EINTR || errno == ENOBUFS) return 0;
  is_host_deaf_ = true;
  return size_bytes;
}

VsockStream::Taken VsockStream::TakeFromGuest(absl::Span<const iovec> payload,
                                              uint32_t size_bytes) {
  if (guest_shutdown_ & kShutdownSend) return Taken::kViolation;
  if (size_bytes > buf_alloc_ - to_host_.size()) return Taken::kViolation;
  size_t sent = 0;
  if (to_host_.empty()) sent = SendToHost(payload, size_bytes);
  forwarded_ += sent;
  for (const iovec& piece : payload) {
    const size_t skip = std::min(sent, piece.iov_len);
    sent -= skip;
    to_host_.Append(absl::MakeConstSpan(
        static_cast<const std::byte*>(piece.iov_base) + skip,
        piece.iov_len - skip));
  }
  return Taken::kOk;
}

void VsockStream::Flush() {
  while (!to_host_.empty()) {
    const absl::Span<const std::byte> front = to_host_.front();
    const iovec piece = {.iov_base = const_cast<std::byte*>(front.data()),
                         .iov_len = front.size()};
    const size_t n = SendToHost(absl::MakeConstSpan(&piece, 1), front.size());
    if (n == 0) return;
    to_host_.Pop(n);
    forwarded_ += n;
  }
  PassOnShutdown();
}

void VsockStream::SendLine(absl::Span<const std::byte> line) {
  const iovec piece = {.iov_base = const_cast<std::byte*>(line.data()),
                       .iov_len = line.size()};
  if (SendToHost(absl::MakeConstSpan(&piece, 1), line.size()) != line.size()) {
    is_host_deaf_ = true;
  }
}

void VsockStream::GuestShutdown(uint32_t flags) {
  guest_shutdown_ |= flags & kShutdownBoth;
  PassOnShutdown();
}

void VsockStream::PassOnShutdown() {
  uint32_t due = guest_shutdown_ & ~passed_shutdown_;
  if (!to_host_.empty()) due &= ~kShutdownSend;
  if (due & kShutdownReceive) shutdown(fd_.get(), SHUT_RD);
  if (due & kShutdownSend) shutdown(fd_.get(), SHUT_WR);
  passed_shutdown_ |= due;
}

bool VsockStream::ShouldUpdateCredit() const {
  return forwarded_ - reported_forwarded_ >= buf_alloc_ / 4;
}

uint32_t VsockStream::guest_credit() const {
  const uint32_t in_flight = sent_to_guest_ - guest_forwarded_;
  return in_flight >= guest_buf_alloc_ ? 0 : guest_buf_alloc_ - in_flight;
}

void VsockStream::UpdateGuestCredit(const vsock::Header& header) {
  guest_buf_alloc_ = header.buf_alloc;
  guest_forwarded_ = header.fwd_cnt;
}

size_t VsockStream::ReadForGuest(absl::Span<const iovec> into) {
  const ssize_t n =
      readv(fd_.get(), into.data(),
            static_cast<int>(std::min<size_t>(into.size(), IOV_MAX)));
  if (n > 0) return static_cast<size_t>(n);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    // After a hang-up no event will come that would call us again.
    if (is_hung_up_ && errno == EAGAIN) is_host_done_ = true;
    is_readable_ = errno == EINTR;
    return 0;
  }
  is_host_done_ = true;
  is_readable_ = false;
  if (n < 0) is_host_deaf_ = true;
  return 0;
}

void VsockStream::HangUp() {
  is_hung_up_ = true;
  is_host_deaf_ = true;
  is_readable_ = true;
}

uint32_t VsockStream::unsent_shutdown() const {
  const uint32_t wanted = (is_host_done_ ? kShutdownSend : 0) |
                          (is_host_deaf_ ? kShutdownReceive : 0);
  return wanted & ~sent_shutdown_;
}

vsock::Header VsockStream::MakeHeader(vsock::Op op, uint64_t guest_cid) {
  reported_forwarded_ = forwarded_;
  return {.src_cid = vsock::kHostCid,
          .dst_cid = guest_cid,
          .src_port = key_.host_port,
          .dst_port = key_.guest_port,
          .op = op,
          .buf_alloc = buf_alloc_,
          .fwd_cnt = forwarded_};
}

}  // namespace ktstr::vmm
