// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/testing/vsock_guest.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/types/span.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm::testing {
namespace {

constexpr int kTxSlots = VsockGuest::kQueueSize / 2;
constexpr uint64_t kTxSlotBytes =
    VsockGuest::kMaxPayloadBytes + GuestMemory::kPageSize;
constexpr GuestPhysAddr kQueues(0x1000);
constexpr GuestPhysAddr kRxBuffers(0x100000);
constexpr GuestPhysAddr kTxBuffers(0x200000);

void Must(const absl::Status& status) {
  if (!status.ok()) std::abort();
}

// SAFETY: text seen as bytes.
absl::Span<const std::byte> Bytes(absl::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()),
                             text.size());
}

}  // namespace

VsockGuest::VsockGuest(GuestMemory* memory, IoDevice* device, uint64_t cid)
    : memory_(memory),
      cid_(cid),
      registers_(device),
      rx_slots_(kQueueSize),
      tx_slots_(kQueueSize) {}

GuestPhysAddr VsockGuest::RxBuffer(int slot) const {
  return kRxBuffers + static_cast<uint64_t>(slot) * kRxBufferBytes;
}

GuestPhysAddr VsockGuest::TxBuffer(int slot) const {
  return kTxBuffers + static_cast<uint64_t>(slot) * kTxSlotBytes;
}

void VsockGuest::Start(int rx_buffers) {
  const auto make = [&](int queue) {
    return std::make_unique<VirtqueueDriver>(
        memory_, kQueues + queue * VirtqueueDriver::FootprintBytes(),
        kQueueSize);
  };
  rx_ = make(0);
  tx_ = make(1);
  event_ = make(2);
  free_rx_.clear();
  free_tx_.clear();
  for (int i = 0; i < kQueueSize; ++i) free_rx_.push_back(i);
  for (int i = 0; i < kTxSlots; ++i) free_tx_.push_back(i);
  if (!registers_.Negotiate(virtio::kFeatureVersion1 | vsock::kFeatureStream)) {
    std::abort();
  }
  registers_.SetUpQueue(vsock::kRxQueue, rx_->layout());
  registers_.SetUpQueue(vsock::kTxQueue, tx_->layout());
  registers_.SetUpQueue(vsock::kEventQueue, event_->layout());
  registers_.SetDriverOk();
  if (rx_buffers > 0) PostRxBuffers(rx_buffers);
}

void VsockGuest::PostRxBuffers(int count) {
  for (int i = 0; i < count; ++i) {
    const int slot = free_rx_.back();
    free_rx_.pop_back();
    const uint16_t head =
        rx_->Chain().Writable(RxBuffer(slot), kRxBufferBytes).Offer();
    rx_slots_[head] = slot;
  }
  registers_.Notify(vsock::kRxQueue);
}

vsock::Header VsockGuest::MakeHeader(vsock::Op op, uint32_t guest_port,
                                     uint32_t host_port) const {
  return {.src_cid = cid_,
          .dst_cid = vsock::kHostCid,
          .src_port = guest_port,
          .dst_port = host_port,
          .op = op,
          .buf_alloc = buf_alloc};
}

void VsockGuest::ReapTx() {
  while (std::optional<VirtqueueDriver::Used> used = tx_->TakeUsed()) {
    free_tx_.push_back(tx_slots_[used->head]);
  }
}

bool VsockGuest::SendRaw(const vsock::Header& header,
                         absl::string_view payload) {
  ReapTx();
  if (free_tx_.empty() || tx_->free_descriptors() < 2 ||
      payload.size() > kMaxPayloadBytes) {
    return false;
  }
  const int slot = free_tx_.back();
  free_tx_.pop_back();
  const GuestPhysAddr at = TxBuffer(slot);
  Must(memory_->Write(at, vsock::FormatHeader(header)));
  Must(memory_->Write(at + vsock::kHeaderBytes, Bytes(payload)));
  auto chain = tx_->Chain();
  chain.Readable(at, vsock::kHeaderBytes);
  if (!payload.empty()) {
    chain.Readable(at + vsock::kHeaderBytes,
                   static_cast<uint32_t>(payload.size()));
  }
  tx_slots_[chain.Offer()] = slot;
  registers_.Notify(vsock::kTxQueue);
  return true;
}

bool VsockGuest::Send(vsock::Header header, absl::string_view payload) {
  header.len = static_cast<uint32_t>(payload.size());
  return SendRaw(header, payload);
}

std::optional<VsockGuest::Packet> VsockGuest::Receive() {
  const std::optional<VirtqueueDriver::Used> used = rx_->TakeUsed();
  if (!used) return std::nullopt;
  const int slot = rx_slots_[used->head];
  std::vector<std::byte> bytes(used->written_bytes);
  if (bytes.size() < vsock::kHeaderBytes) std::abort();
  Must(memory_->Read(RxBuffer(slot), absl::MakeSpan(bytes)));
  std::array<std::byte, vsock::kHeaderBytes> header;
  std::memcpy(header.data(), bytes.data(), header.size());
  Packet packet = {.header = vsock::ParseHeader(header)};
  packet.payload.assign(
      reinterpret_cast<const char*>(bytes.data()) + header.size(),
      bytes.size() - header.size());
  free_rx_.push_back(slot);
  if (!keeps_buffers) PostRxBuffers(1);
  return packet;
}

}  // namespace ktstr::vmm::testing
