// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_VIRTQUEUE_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VIRTQUEUE_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/memory/guest_phys_addr.h"

namespace ktstr::vmm {

// The bytes of one direction of a descriptor chain, as one sequence.
//
// Trust: addresses and sizes are the driver's, copied and checked to be RAM;
//        the bytes behind them may change at any time.
class ChainBytes {
 public:
  // `gpa` and `size_bytes` were checked.
  void Add(GuestPhysAddr gpa, uint32_t size_bytes) {
    pieces_.push_back({gpa, size_bytes});
    size_bytes_ += size_bytes;
  }
  uint64_t size_bytes() const { return size_bytes_; }

  // All three: OutOfRange when the sequence is shorter than asked for.
  absl::Status Read(const GuestMemory& memory, uint64_t offset,
                    absl::Span<std::byte> out) const;
  absl::Status Write(GuestMemory& memory, uint64_t offset,
                     absl::Span<const std::byte> bytes) const;
  // See GuestMemory::AppendIovecs.
  absl::Status AppendIovecs(const GuestMemory& memory, uint64_t offset,
                            uint64_t size_bytes, std::vector<iovec>& out) const;

 private:
  struct Piece {
    GuestPhysAddr gpa;
    uint32_t size_bytes;
  };
  // Calls `visit(gpa, bytes, bytes before)` for each part of the range.
  template <typename Visit>
  absl::Status ForEachPart(uint64_t offset, uint64_t size_bytes,
                           Visit visit) const;

  absl::InlinedVector<Piece, 4> pieces_;
  uint64_t size_bytes_ = 0;
};

// One buffer the driver made available.
struct DescriptorChain {
  uint16_t head = 0;
  // What the device may read, then what it may write (VIRTIO 1.2, 2.7.4.2).
  ChainBytes readable;
  ChainBytes writable;
};

// The device's side of a split virtqueue.
//
//   while (true) {
//     ABSL_ASSIGN_OR_RETURN(std::optional<DescriptorChain> chain, queue.Pop());
//     if (!chain) break;
//     ... use chain->readable and chain->writable ...
//     ABSL_RETURN_IF_ERROR(queue.Push(chain->head, bytes_written));
//   }
//   ABSL_ASSIGN_OR_RETURN(bool wanted, queue.DriverWantsInterrupt());
//
// Shape:    no indirect descriptors, no event index: neither is offered.
// Trust:    everything in the rings is guest-controlled. Each value is copied
//           out once and then judged; work for one chain is bounded by the
//           queue's size. After any error the queue must not be used until the
//           driver has reset the device.
// Threads:  one at a time.
// Lifetime: borrows the memory.
// Source:   VIRTIO 1.2 section 2.7.
class Virtqueue {
 public:
  static constexpr uint16_t kMaxSize = 1024;

  // What the driver told the transport.
  struct Layout {
    // Descriptors; a power of two.
    uint16_t size = 0;
    GuestPhysAddr descriptor_table;
    GuestPhysAddr available_ring;
    GuestPhysAddr used_ring;
  };

  // Errors:
  //   InvalidArgument  size is zero, above kMaxSize or no power of two; an
  //                    area is not aligned.
  //   OutOfRange       an area is not RAM.
  static absl::StatusOr<Virtqueue> Create(GuestMemory* memory,
                                          const Layout& layout);

  // The next available chain, or nullopt when the driver has none.
  //
  // Errors:
  //   InvalidArgument    more chains available than the queue has descriptors;
  //                      a descriptor number outside of the table; a chain
  //                      longer than the table (a loop); an empty or indirect
  //                      descriptor; a readable descriptor after a writable.
  //   OutOfRange         a buffer is not RAM.
  absl::StatusOr<std::optional<DescriptorChain>> Pop();

  // Makes the chain of the last Pop available again, as if not popped.
  void Unpop() { --next_available_; }

  // Returns a chain to the driver. `written_bytes` of its writable part, from
  // the start, are valid.
  absl::Status Push(uint16_t head, uint32_t written_bytes);

  // Whether the driver asks to be interrupted for what was pushed.
  absl::StatusOr<bool> DriverWantsInterrupt() const;

  uint16_t size() const { return layout_.size; }

 private:
  Virtqueue(GuestMemory* memory, const Layout& layout)
      : memory_(memory), layout_(layout) {}

  absl::StatusOr<DescriptorChain> ReadChain(uint16_t head) const;

  GuestMemory* memory_;
  Layout layout_;
  uint16_t next_available_ = 0;
  uint16_t next_used_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VIRTQUEUE_H_
