// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/vsock_packet.h"

#include <cstring>

namespace ktstr::vmm::vsock {
namespace {

// The wire layout. The host is little-endian (guest_memory.cc asserts it).
struct __attribute__((packed)) WireHeader {
  uint64_t src_cid;
  uint64_t dst_cid;
  uint32_t src_port;
  uint32_t dst_port;
  uint32_t len;
  uint16_t type;
  uint16_t op;
  uint32_t flags;
  uint32_t buf_alloc;
  uint32_t fwd_cnt;
};
static_assert(sizeof(WireHeader) == kHeaderBytes);

}  // namespace

Header ParseHeader(const std::array<std::byte, kHeaderBytes>& bytes) {
  WireHeader wire;
  std::memcpy(&wire, bytes.data(), sizeof(wire));
  return {.src_cid = wire.src_cid,
          .dst_cid = wire.dst_cid,
          .src_port = wire.src_port,
          .dst_port = wire.dst_port,
          .len = wire.len,
          .type = wire.type,
          .op = static_cast<Op>(wire.op),
          .flags = wire.flags,
          .buf_alloc = wire.buf_alloc,
          .fwd_cnt = wire.fwd_cnt};
}

std::array<std::byte, kHeaderBytes> FormatHeader(const Header& header) {
  const WireHeader wire = {.src_cid = header.src_cid,
                           .dst_cid = header.dst_cid,
                           .src_port = header.src_port,
                           .dst_port = header.dst_port,
                           .len = header.len,
                           .type = header.type,
                           .op = static_cast<uint16_t>(header.op),
                           .flags = header.flags,
                           .buf_alloc = header.buf_alloc,
                           .fwd_cnt = header.fwd_cnt};
  std::array<std::byte, kHeaderBytes> bytes;
  std::memcpy(bytes.data(), &wire, sizeof(wire));
  return bytes;
}

}  // namespace ktstr::vmm::vsock
