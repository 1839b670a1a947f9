// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_VSOCK_STREAM_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VSOCK_STREAM_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "vmm/devices/virtio/byte_queue.h"
#include "vmm/devices/virtio/vsock_packet.h"

namespace ktstr::vmm {

// One stream between a guest port and a host socket: the credit of both
// directions, the bytes the host has not taken yet, and who has said that it is
// done. Knows nothing of queues or the event loop.
//
// Shape:   bytes for the guest are never kept: they stay in the socket until
//          the guest has credit and a buffer. Bytes for the host go to the
//          socket at once; what it does not take waits, at most buf_alloc().
// Trust:   headers and payload are the guest's; the socket's peer is not
//          trusted either, to be fast or to be there.
// Threads: the event loop's.
class VsockStream {
 public:
  struct Key {
    uint32_t guest_port = 0;
    uint32_t host_port = 0;
    auto operator<=>(const Key&) const = default;
  };
  enum class State {
    // The host asked, the guest has not answered.
    kRequested,
    kOpen,
  };
  enum class Taken {
    kOk,
    // More than the guest had credit for, or data after it said "no more".
    kViolation,
  };

  // `fd` is a connected, non-blocking stream socket.
  VsockStream(Key key, State state, UniqueFd fd, uint32_t buf_alloc)
      : key_(key), buf_alloc_(buf_alloc), fd_(std::move(fd)), state_(state) {}

  Key key() const { return key_; }
  int fd() const { return fd_.get(); }
  State state() const { return state_; }
  void Open() { state_ = State::kOpen; }

  // ---- Guest to host.

  // Takes one packet's payload, given as pieces of guest memory.
  Taken TakeFromGuest(absl::Span<const iovec> payload, uint32_t size_bytes);
  // Gives waiting bytes to the socket, as many as it takes.
  void Flush();
  // A line of ours, not the guest's, before any of its bytes; small enough for
  // the empty socket buffer.
  void SendLine(absl::Span<const std::byte> line);
  bool has_waiting_bytes() const { return !to_host_.empty(); }
  // The guest said SHUTDOWN with these flags (they add up). Passes half-closes
  // on to the socket once what waits is written.
  void GuestShutdown(uint32_t flags);
  uint32_t guest_shutdown() const { return guest_shutdown_; }
  // The guest should hear of its new credit before it runs out.
  bool ShouldUpdateCredit() const;

  // ---- Host to guest.

  // Credit the guest has left for us, in bytes.
  uint32_t guest_credit() const;
  void UpdateGuestCredit(const vsock::Header& header);
  // Reads up to the pieces' size from the socket straight into guest memory.
  // Bytes read; 0 when there is nothing to send: the host is done
  // (is_host_done) or must be waited for (!is_readable).
  size_t ReadForGuest(absl::Span<const iovec> into);
  // The socket may have bytes or an end to read.
  bool is_readable() const { return is_readable_; }
  void set_readable() { is_readable_ = true; }
  bool wants_data_for_guest() const {
    return state_ == State::kOpen && !is_host_done_ &&
           !(guest_shutdown_ & vsock::kShutdownReceive);
  }
  // The host will send no more.
  bool is_host_done() const { return is_host_done_; }
  // The socket hung up: nothing new will come, nothing can be sent.
  bool is_hung_up() const { return is_hung_up_; }
  void HangUp();

  // SHUTDOWN flags the guest must be told and was not.
  uint32_t unsent_shutdown() const;

  // Fills what every packet of this stream carries, and remembers what was
  // said.
  vsock::Header MakeHeader(vsock::Op op, uint64_t guest_cid);
  void CountSent(uint32_t bytes) { sent_to_guest_ += bytes; }
  void CountShutdownSent(uint32_t flags) { sent_shutdown_ |= flags; }

 private:
  // Writes to the socket; the bytes it took. A dead socket takes everything.
  size_t SendToHost(absl::Span<const iovec> pieces, size_t size_bytes);
  void PassOnShutdown();

  // Constant after construction.
  const Key key_;
  const uint32_t buf_alloc_;
  const UniqueFd fd_;

  State state_;

  // Guest to host. Counters wrap.
  ByteQueue to_host_;
  uint32_t forwarded_ = 0;
  uint32_t reported_forwarded_ = 0;
  uint32_t guest_shutdown_ = 0;
  // Of these, what the socket was told.
  uint32_t passed_shutdown_ = 0;
  // The host will take no more.
  bool is_host_deaf_ = false;

  // Host to guest. Counters wrap.
  uint32_t guest_buf_alloc_ = 0;
  uint32_t guest_forwarded_ = 0;
  uint32_t sent_to_guest_ = 0;
  bool is_readable_ = false;
  bool is_host_done_ = false;
  bool is_hung_up_ = false;
  uint32_t sent_shutdown_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VSOCK_STREAM_H_
