// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_TESTING_GUEST_DRIVER_H_
#define KTSTR_VMM_TESTING_GUEST_DRIVER_H_

#include <cstdint>

#include "vmm/testing/guest_program.h"

namespace ktstr::vmm {

// The driver of a virtio-mmio device as part of a bare-metal guest, instruction
// by instruction; honest, or lying wherever a test wants it to.
//
// Shape:    rings of queue q lie in kRingsStride bytes from `rings` +
//           q * kRingsStride on. Clobbers what GuestProgram's stores clobber.
// Lifetime: appends to the program it borrows.
class GuestDriver {
 public:
  static constexpr uint64_t kDescriptors = 0, kAvailable = 0x1000,
                            kUsed = 0x2000, kRingsStride = 0x3000;
  static constexpr uint32_t kQueueSize = 8;
  // Of vsock and of the console.
  static constexpr uint32_t kTransmitQueue = 1;

  struct Place {
    // Of the device's registers.
    uint64_t registers = 0;
    uint32_t queues = 0;
    uint64_t rings = 0x200000;
  };

  GuestDriver(GuestProgram* program, Place place)
      : program_(program), place_(place) {}

  // Maps the registers with the page `directory` (GuestProgram::MapLargePage).
  GuestDriver& Map(uint64_t directory);
  // Resets the device and accepts VERSION_1.
  GuestDriver& Negotiate();
  // Gives all queues to the device; their rings from `rings` on, if given.
  GuestDriver& SetUpQueues() { return SetUpQueues(place_.rings); }
  GuestDriver& SetUpQueues(uint64_t rings);
  // A descriptor of the transmit queue.
  GuestDriver& Descriptor(uint32_t index, uint64_t address, uint32_t bytes,
                          uint16_t flags, uint16_t next);
  GuestDriver& SetDriverOk();
  // Offers `count` entries of the transmit queue, the first of them `head`.
  GuestDriver& Offer(uint16_t head, uint16_t count);
  GuestDriver& Notify(uint32_t queue = kTransmitQueue);
  // Loops until the device has returned `count` entries of the transmit queue.
  GuestDriver& WaitForUsed(uint16_t count);
  // Loops until the device asks to be reset, resets it, and says "refused".
  GuestDriver& WaitForNeedsReset();
  GuestDriver& Set(uint64_t offset, uint32_t value);

 private:
  uint64_t Ring(uint64_t part) const;
  void SetAddress(uint64_t offset, uint64_t address);

  GuestProgram* const program_;
  const Place place_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_TESTING_GUEST_DRIVER_H_
