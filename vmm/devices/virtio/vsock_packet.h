// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_VSOCK_PACKET_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VSOCK_PACKET_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace ktstr::vmm::vsock {

// Feature bits (VIRTIO 1.2, 5.10.3).
inline constexpr uint64_t kFeatureStream = 1;

// Addresses (5.10.4): the host is always CID 2.
inline constexpr uint64_t kHostCid = 2;
// The smallest a guest may have.
inline constexpr uint32_t kFirstGuestCid = 3;
inline constexpr uint32_t kAnyPort = ~uint32_t{0};

// Queues (5.10.2).
inline constexpr int kRxQueue = 0;
inline constexpr int kTxQueue = 1;
inline constexpr int kEventQueue = 2;
inline constexpr int kQueueCount = 3;

// Socket types and operations (5.10.6).
inline constexpr uint16_t kTypeStream = 1;
enum class Op : uint16_t {
  kInvalid = 0,
  kRequest = 1,
  kResponse = 2,
  kReset = 3,
  kShutdown = 4,
  kData = 5,
  kCreditUpdate = 6,
  kCreditRequest = 7,
};

// Flags of kShutdown: the sender will not receive, will not send.
inline constexpr uint32_t kShutdownReceive = 1;
inline constexpr uint32_t kShutdownSend = 2;
inline constexpr uint32_t kShutdownBoth = kShutdownReceive | kShutdownSend;

// The header in front of every packet.
//
// Shape:  kHeaderBytes on the wire, little-endian, fields in this order.
// Trust:  from the guest, any value in any field; `op` may be none of Op.
// Source: VIRTIO 1.2 section 5.10.6, struct virtio_vsock_hdr.
struct Header {
  uint64_t src_cid = 0;
  uint64_t dst_cid = 0;
  uint32_t src_port = 0;
  uint32_t dst_port = 0;
  // Bytes of payload that follow.
  uint32_t len = 0;
  uint16_t type = kTypeStream;
  Op op = Op::kInvalid;
  uint32_t flags = 0;
  // Receive buffer of the sender for this stream, and how much of what it
  // received it has passed on; both for credit, the second wraps.
  uint32_t buf_alloc = 0;
  uint32_t fwd_cnt = 0;
};
inline constexpr size_t kHeaderBytes = 44;

Header ParseHeader(const std::array<std::byte, kHeaderBytes>& bytes);
std::array<std::byte, kHeaderBytes> FormatHeader(const Header& header);

}  // namespace ktstr::vmm::vsock

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VSOCK_PACKET_H_
