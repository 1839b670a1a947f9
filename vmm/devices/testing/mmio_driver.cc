// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/testing/mmio_driver.h"

#include <cstring>

#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm::testing {

using namespace virtio;       // NOLINT: register names only.
using namespace virtio_mmio;  // NOLINT: register names only.

uint32_t MmioDriver::Read(uint64_t offset) {
  std::byte bytes[sizeof(uint32_t)];
  device_->Read(offset, absl::MakeSpan(bytes));
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

void MmioDriver::Write(uint64_t offset, uint32_t value) {
  std::byte bytes[sizeof(uint32_t)];
  std::memcpy(bytes, &value, sizeof(value));
  device_->Write(offset, absl::MakeConstSpan(bytes));
}

void MmioDriver::Write64(uint64_t low_offset, uint64_t high_offset,
                         uint64_t value) {
  Write(low_offset, static_cast<uint32_t>(value));
  Write(high_offset, static_cast<uint32_t>(value >> 32));
}

uint64_t MmioDriver::OfferedFeatures() {
  Write(kDeviceFeaturesSel, 1);
  const uint64_t high = Read(kDeviceFeatures);
  Write(kDeviceFeaturesSel, 0);
  return (high << 32) | Read(kDeviceFeatures);
}

bool MmioDriver::Negotiate(uint64_t features) {
  Write(kStatus, 0);
  Write(kStatus, kStatusAcknowledge);
  Write(kStatus, kStatusAcknowledge | kStatusDriver);
  Write(kDriverFeaturesSel, 1);
  Write(kDriverFeatures, static_cast<uint32_t>(features >> 32));
  Write(kDriverFeaturesSel, 0);
  Write(kDriverFeatures, static_cast<uint32_t>(features));
  Write(kStatus, Status() | kStatusFeaturesOk);
  return Status() & kStatusFeaturesOk;
}

void MmioDriver::SetUpQueue(int queue, const Virtqueue::Layout& layout) {
  Write(kQueueSel, queue);
  Write(kQueueNum, layout.size);
  Write64(kQueueDescLow, kQueueDescHigh, layout.descriptor_table.value());
  Write64(kQueueDriverLow, kQueueDriverHigh, layout.available_ring.value());
  Write64(kQueueDeviceLow, kQueueDeviceHigh, layout.used_ring.value());
  Write(kQueueReady, 1);
}

void MmioDriver::SetDriverOk() { Write(kStatus, Status() | kStatusDriverOk); }

void MmioDriver::Notify(int queue) { Write(kQueueNotify, queue); }

uint32_t MmioDriver::Status() { return Read(kStatus); }

}  // namespace ktstr::vmm::testing
