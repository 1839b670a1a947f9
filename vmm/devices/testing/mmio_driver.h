// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_MMIO_DRIVER_H_
#define KTSTR_VMM_DEVICES_TESTING_MMIO_DRIVER_H_

#include <cstdint>

#include "vmm/devices/device.h"
#include "vmm/devices/virtio/virtqueue.h"

namespace ktstr::vmm::testing {

// What a driver does with the registers of a virtio-mmio device, in the order
// of VIRTIO 1.2 section 3.1.1.
//
// Lifetime: borrows the device.
class MmioDriver {
 public:
  explicit MmioDriver(IoDevice* device) : device_(device) {}

  uint32_t Read(uint64_t offset);
  void Write(uint64_t offset, uint32_t value);

  uint64_t OfferedFeatures();
  // Resets, acknowledges, accepts `features`. False when the device refuses
  // them.
  bool Negotiate(uint64_t features);
  void SetUpQueue(int queue, const Virtqueue::Layout& layout);
  void SetDriverOk();
  void Notify(int queue);
  uint32_t Status();

 private:
  void Write64(uint64_t low_offset, uint64_t high_offset, uint64_t value);

  IoDevice* const device_;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_MMIO_DRIVER_H_
