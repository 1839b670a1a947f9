// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_MEMORY_GUEST_MEMORY_H_
#define KTSTR_VMM_MEMORY_GUEST_MEMORY_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "vmm/memory/guest_phys_addr.h"

namespace ktstr::vmm {

// Guest-physical RAM, mapped once for the life of the machine.
//
// Shape:    regions sorted by address, each page-aligned, none overlapping. A
//           range that runs through regions that touch is inside; a range that
//           ends exactly at the last byte of RAM is inside; a range that
//           touches a hole is OutOfRange. Integers are little-endian.
// Trust:    every byte belongs to the guest and may change between two reads;
//           copy out, then validate the copy. Addresses may come from the
//           guest: no address and no length aborts.
// Threads:  any vCPU or device thread; accesses are not atomic together, except
//           the acquire and release accessors.
// Lifetime: outlives every vCPU and device that holds a pointer to it.
class GuestMemory {
 public:
  static constexpr uint64_t kPageSize = 4096;
  static constexpr uint64_t kHugePageSize = uint64_t{2} << 20;

  // What is asked for: one stretch of RAM that belongs to a NUMA node.
  struct Range {
    GuestPhysAddr start;
    uint64_t size_bytes = 0;
    int node = 0;
  };

  enum class Pages {
    kOrdinary,
    // The host's pool of 2 MiB pages (hugetlbfs). All of them are taken at
    // once; ranges must be whole huge pages.
    kPool,
  };

  // What exists: one KVM memory slot.
  struct Region {
    GuestPhysAddr start;
    uint64_t size_bytes = 0;
    int node = 0;
    // Borrowed from the GuestMemory; regions of one node share it.
    int memfd = -1;
    // Of the region's first byte within `memfd`. This, `host` and `start` are
    // equal modulo kHugePageSize, without which no huge page fits.
    uint64_t memfd_offset = 0;
    std::byte* host = nullptr;

    GuestPhysAddr end() const { return start + size_bytes; }
  };

  // Maps zeroed memory: one memfd for each node, its regions in it in address
  // order, with holes where alignment asks for them. Nothing is touched, so the
  // cost does not depend on the size.
  //
  // Errors:
  //   InvalidArgument    no range; a range that is empty, not page-aligned,
  //                      wraps around or overlaps another.
  //   ResourceExhausted  the host refused memory or descriptors, or its pool is
  //                      too small.
  static absl::StatusOr<std::unique_ptr<GuestMemory>> Create(
      std::vector<Range> ranges, Pages pages = Pages::kOrdinary);

  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;
  ~GuestMemory();

  // Copies out.size() bytes from `gpa`. OutOfRange leaves `out` untouched.
  absl::Status Read(GuestPhysAddr gpa, absl::Span<std::byte> out) const;
  // Copies all of `bytes` to `gpa`. OutOfRange leaves RAM untouched.
  absl::Status Write(GuestPhysAddr gpa, absl::Span<const std::byte> bytes);
  // Sets `size_bytes` bytes to `value`. OutOfRange leaves RAM untouched.
  absl::Status Fill(GuestPhysAddr gpa, uint64_t size_bytes, uint8_t value);

  absl::StatusOr<uint16_t> ReadU16(GuestPhysAddr gpa) const;
  absl::StatusOr<uint32_t> ReadU32(GuestPhysAddr gpa) const;
  absl::StatusOr<uint64_t> ReadU64(GuestPhysAddr gpa) const;
  absl::Status WriteU16(GuestPhysAddr gpa, uint16_t value);
  absl::Status WriteU32(GuestPhysAddr gpa, uint32_t value);
  absl::Status WriteU64(GuestPhysAddr gpa, uint64_t value);

  // Whether all of the range is RAM.
  bool Contains(GuestPhysAddr gpa, uint64_t size_bytes) const;

  // One atomic access, for ring indices: what the other side wrote before its
  // release is visible after our acquire, and the other way round. All of them
  // are sequentially consistent with each other.
  //
  // Errors:
  //   InvalidArgument  odd address.
  //   OutOfRange       not RAM.
  absl::StatusOr<uint16_t> LoadAcquireU16(GuestPhysAddr gpa) const;
  absl::Status StoreReleaseU16(GuestPhysAddr gpa, uint16_t value);

  // The host memory behind a range, in pieces because neighbouring regions
  // are not neighbours in the host. Appended to `out`; for readv and writev.
  //
  // Lifetime: valid as long as this object.
  // Errors:   OutOfRange leaves `out` unchanged.
  absl::Status AppendIovecs(GuestPhysAddr gpa, uint64_t size_bytes,
                            std::vector<iovec>& out) const;

  // Backs the whole huge pages inside the range with huge pages of the host:
  // the guest's first touch of each then costs nothing, where 512 small pages
  // cost a fault each. Takes host memory at once (and time for zeroing it).
  // A host that cannot (before Linux 6.1, or short of huge pages) leaves small
  // pages, and nothing else changes. The range may run past RAM; its content
  // stays.
  //
  // Returns whether all of them are huge now.
  bool BackWithHugePages(GuestPhysAddr gpa, uint64_t size_bytes);

  // Takes the memory of a guest node from the host's NUMA node, strictly.
  // Before anything is touched.
  //
  // Errors: InvalidArgument for a host node that does not exist; the mapping of
  //         errno.
  absl::Status BindNode(int node, int host_node);

  // Makes every page exist now, so that none is missing later.
  //
  // Errors: ResourceExhausted when the host has not as many.
  absl::Status Populate();

  // Reads `size_bytes` bytes of the file at `offset` straight into RAM.
  //
  // Errors:
  //   OutOfRange       the range is not RAM.
  //   InvalidArgument  the file ends before.
  //   the mapping of errno for a read that failed; RAM may be partly written.
  absl::Status ReadFromFile(GuestPhysAddr gpa, int fd, uint64_t offset,
                            uint64_t size_bytes);

  // Sorted by address.
  absl::Span<const Region> regions() const { return regions_; }
  // The region that holds the byte at `gpa`; null for a hole.
  const Region* RegionAt(GuestPhysAddr gpa) const;
  // RAM of all regions.
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  GuestMemory() = default;

  absl::Status MapRegions(const std::vector<Range>& ranges, Pages pages);
  // Calls `visit(host pointer, bytes, bytes before this piece)` for each piece
  // of the range, or returns OutOfRange before the first call.
  template <typename Visit>
  absl::Status ForEachPiece(GuestPhysAddr gpa, uint64_t size_bytes,
                            Visit visit) const;

  // Constant after construction.
  std::vector<UniqueFd> memfds_;
  std::vector<Region> regions_;
  uint64_t size_bytes_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_MEMORY_GUEST_MEMORY_H_
