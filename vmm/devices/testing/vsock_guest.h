// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_VSOCK_GUEST_H_
#define KTSTR_VMM_DEVICES_TESTING_VSOCK_GUEST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "vmm/devices/device.h"
#include "vmm/devices/testing/mmio_driver.h"
#include "vmm/devices/testing/virtqueue_driver.h"
#include "vmm/devices/virtio/vsock_packet.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm::testing {

// A guest's vsock driver, for tests: posts rx buffers, sends packets and hands
// out those that came.
//
// Shape:    uses RAM from 0 to kMemoryBytes.
// Threads:  one; it may be another than the event loop's.
// Lifetime: borrows memory and device.
class VsockGuest {
 public:
  static constexpr uint64_t kMemoryBytes = 8 * 1024 * 1024;
  static constexpr uint16_t kQueueSize = 64;
  static constexpr uint32_t kRxBufferBytes = 4096;
  static constexpr uint32_t kMaxPayloadBytes = 64 * 1024;

  struct Packet {
    vsock::Header header;
    std::string payload;
  };

  VsockGuest(GuestMemory* memory, IoDevice* device, uint64_t cid);

  // Negotiates, sets up the queues, posts `rx_buffers` (at most kQueueSize).
  void Start(int rx_buffers = kQueueSize / 2);

  // The host's port 1024, say, as seen by the guest's port 5.
  vsock::Header MakeHeader(vsock::Op op, uint32_t guest_port,
                           uint32_t host_port) const;
  // Sends header (its len taken as it is) and payload. False when the tx queue
  // is full.
  bool SendRaw(const vsock::Header& header, absl::string_view payload);
  // The same with len set to the payload's.
  bool Send(vsock::Header header, absl::string_view payload = "");

  // A packet that came, its rx buffer being posted again unless
  // `keeps_buffers`.
  std::optional<Packet> Receive();
  bool keeps_buffers = false;
  // Posts `count` further rx buffers and notifies.
  void PostRxBuffers(int count);

  MmioDriver& registers() { return registers_; }
  VirtqueueDriver& rx() { return *rx_; }
  VirtqueueDriver& tx() { return *tx_; }

  // Buffer space announced in every header, and what was consumed so far of
  // the stream is up to the test (fwd_cnt).
  uint32_t buf_alloc = 256 * 1024;

 private:
  void ReapTx();
  GuestPhysAddr RxBuffer(int slot) const;
  GuestPhysAddr TxBuffer(int slot) const;

  GuestMemory* const memory_;
  const uint64_t cid_;
  MmioDriver registers_;
  std::unique_ptr<VirtqueueDriver> rx_, tx_, event_;
  // Slots of buffers by head descriptor; free tx slots.
  std::vector<int> rx_slots_, tx_slots_;
  std::vector<int> free_rx_, free_tx_;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_VSOCK_GUEST_H_
