// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_VIRTQUEUE_DRIVER_H_
#define KTSTR_VMM_DEVICES_TESTING_VIRTQUEUE_DRIVER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "vmm/devices/virtio/virtqueue.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/memory/guest_phys_addr.h"

namespace ktstr::vmm::testing {

// The driver's side of a split virtqueue, for tests: well-behaved by default,
// and able to write any nonsense into the rings.
//
//   VirtqueueDriver driver(memory.get(), GuestPhysAddr(0x10000), 16);
//   auto queue = Virtqueue::Create(memory.get(), driver.layout());
//   uint16_t head = driver.Chain().Readable(gpa, 12).Writable(out, 1).Offer();
//   ... the device works ...
//   std::optional<VirtqueueDriver::Used> used = driver.TakeUsed();
//
// Shape:   the descriptor table at `base`, then the available ring, then the
//          used ring, each on its own page; FootprintBytes in all.
// Threads: one; it may be another than the device's.
class VirtqueueDriver {
 public:
  struct Used {
    uint16_t head;
    uint32_t written_bytes;
  };

  // Builds one chain out of free descriptors, in the order of the calls.
  class ChainBuilder {
   public:
    explicit ChainBuilder(VirtqueueDriver* driver) : driver_(driver) {}
    ChainBuilder& Readable(GuestPhysAddr gpa, uint32_t size_bytes);
    ChainBuilder& Writable(GuestPhysAddr gpa, uint32_t size_bytes);
    // A descriptor with `flags` as they are (plus NEXT where one follows).
    ChainBuilder& Raw(GuestPhysAddr gpa, uint32_t size_bytes, uint16_t flags);
    // Writes the descriptors and makes the chain available. The head.
    uint16_t Offer();

   private:
    struct Piece {
      GuestPhysAddr gpa;
      uint32_t size_bytes;
      uint16_t flags;
    };
    VirtqueueDriver* const driver_;
    std::vector<Piece> pieces_;
  };

  static constexpr uint64_t FootprintBytes() { return 3 * kAreaBytes; }

  VirtqueueDriver(GuestMemory* memory, GuestPhysAddr base, uint16_t size);

  const Virtqueue::Layout& layout() const { return layout_; }
  int free_descriptors() const { return static_cast<int>(free_.size()); }

  ChainBuilder Chain() { return ChainBuilder(this); }
  // The next chain the device returned, its descriptors being free again.
  std::optional<Used> TakeUsed();

  // ---- For hostile drivers.
  void SetDescriptor(uint16_t index, GuestPhysAddr gpa, uint32_t size_bytes,
                     uint16_t flags, uint16_t next);
  // Makes `head` available, whatever it is.
  void OfferHead(uint16_t head);
  void SetAvailableIndex(uint16_t index);
  void SetAvailableFlags(uint16_t flags);

 private:
  // Room for the largest queue.
  static constexpr uint64_t kAreaBytes = 16 * 1024;

  GuestMemory* memory_;
  Virtqueue::Layout layout_;
  std::vector<uint16_t> free_;
  // The descriptors of the chain that starts at an index.
  std::vector<std::vector<uint16_t>> chains_;
  uint16_t available_index_ = 0;
  uint16_t next_used_ = 0;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_VIRTQUEUE_DRIVER_H_
