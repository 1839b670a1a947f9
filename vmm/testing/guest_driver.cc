// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/testing/guest_driver.h"

#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using namespace virtio_mmio;  // NOLINT: register names only.

constexpr uint32_t kFound = virtio::kStatusAcknowledge | virtio::kStatusDriver;
constexpr uint32_t kNegotiated = kFound | virtio::kStatusFeaturesOk;
constexpr uint32_t kReady = kNegotiated | virtio::kStatusDriverOk;

}  // namespace

GuestDriver& GuestDriver::Map(uint64_t directory) {
  program_->MapLargePage(place_.registers, directory);
  return *this;
}

GuestDriver& GuestDriver::Negotiate() {
  return Set(kStatus, 0)
      .Set(kStatus, kFound)
      .Set(kDriverFeaturesSel, 1)
      .Set(kDriverFeatures, uint32_t(virtio::kFeatureVersion1 >> 32))
      .Set(kStatus, kNegotiated);
}

GuestDriver& GuestDriver::SetUpQueues(uint64_t rings) {
  for (uint32_t queue = 0; queue < place_.queues; ++queue) {
    const uint64_t base = rings + queue * kRingsStride;
    Set(kQueueSel, queue);
    Set(kQueueNum, kQueueSize);
    SetAddress(kQueueDescLow, base + kDescriptors);
    SetAddress(kQueueDriverLow, base + kAvailable);
    SetAddress(kQueueDeviceLow, base + kUsed);
    Set(kQueueReady, 1);
  }
  return *this;
}

GuestDriver& GuestDriver::Descriptor(uint32_t index, uint64_t address,
                                     uint32_t bytes, uint16_t flags,
                                     uint16_t next) {
  const uint64_t at = Ring(kDescriptors) + index * virtio::kDescriptorBytes;
  program_->Store64(at, address)
      .Store32(at + 8, bytes)
      .Store32(at + 12, uint32_t{flags} | uint32_t{next} << 16);
  return *this;
}

GuestDriver& GuestDriver::SetDriverOk() { return Set(kStatus, kReady); }

GuestDriver& GuestDriver::Offer(uint16_t head, uint16_t count) {
  program_->Store32(Ring(kAvailable) + virtio::kAvailableRingOffset, head)
      .Store32(Ring(kAvailable), uint32_t{count} << 16);
  return *this;
}

GuestDriver& GuestDriver::Notify(uint32_t queue) {
  return Set(kQueueNotify, queue);
}

GuestDriver& GuestDriver::WaitForUsed(uint16_t count) {
  // The flags, which no device sets, and the index.
  program_->WaitFor32(Ring(kUsed), uint32_t{count} << 16);
  return *this;
}

GuestDriver& GuestDriver::WaitForNeedsReset() {
  const uint64_t status = place_.registers + kStatus;
  program_->WaitFor32(status, kReady | virtio::kStatusNeedsReset)
      .Store32(status, 0)
      .WaitFor32(status, 0)
      .Print("refused");
  return *this;
}

GuestDriver& GuestDriver::Set(uint64_t offset, uint32_t value) {
  program_->Store32(place_.registers + offset, value);
  return *this;
}

uint64_t GuestDriver::Ring(uint64_t part) const {
  return place_.rings + kTransmitQueue * kRingsStride + part;
}

void GuestDriver::SetAddress(uint64_t offset, uint64_t address) {
  Set(offset, uint32_t(address));
  Set(offset + 4, uint32_t(address >> 32));
}

}  // namespace ktstr::vmm
