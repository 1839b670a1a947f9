// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/memory/guest_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace ktstr::vmm {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "guest integers are copied as they lie");

std::string Describe(GuestPhysAddr gpa, uint64_t size_bytes) {
  return absl::StrFormat("guest range at %#x of %u bytes", gpa.value(),
                         size_bytes);
}

absl::Status CheckRanges(const std::vector<GuestMemory::Range>& ranges,
                         uint64_t page) {
  if (ranges.empty()) {
    return absl::InvalidArgumentError("guest memory needs at least one range");
  }
  for (size_t i = 0; i < ranges.size(); ++i) {
    const GuestMemory::Range& range = ranges[i];
    const std::string what = Describe(range.start, range.size_bytes);
    if (range.size_bytes == 0 || range.size_bytes % page ||
        !range.start.IsAlignedTo(page)) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " is not a positive number of whole pages of ",
                       page >> 10, " KiB"));
    }
    if (range.start.value() + range.size_bytes < range.start.value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " wraps around the address space"));
    }
    if (i > 0 && ranges[i - 1].start + ranges[i - 1].size_bytes > range.start) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " overlaps the range before it"));
    }
  }
  return absl::OkStatus();
}

// The lowest number from `floor` that equals `gpa` modulo the huge page size.
uint64_t AlignLike(uint64_t floor, GuestPhysAddr gpa) {
  return floor + (gpa.value() - floor) % GuestMemory::kHugePageSize;
}

// Maps like mmap with MAP_SHARED, at a host address that equals `gpa` modulo
// the huge page size. MAP_FAILED with errno set.
void* MapAligned(GuestPhysAddr gpa, uint64_t size_bytes, int fd,
                 uint64_t offset) {
  const uint64_t reserved_bytes = size_bytes + GuestMemory::kHugePageSize;
  void* reserved = mmap(nullptr, reserved_bytes, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return MAP_FAILED;
  const uint64_t start = reinterpret_cast<uintptr_t>(reserved);
  const uint64_t aligned = AlignLike(start, gpa);
  // SAFETY: inside the reservation, which is nobody else's.
  auto* at = static_cast<std::byte*>(reserved) + (aligned - start);
  void* host = mmap(at, size_bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd,
                    static_cast<off_t>(offset));
  if (host == MAP_FAILED) {
    munmap(reserved, reserved_bytes);
    return MAP_FAILED;
  }
  if (aligned > start) munmap(reserved, aligned - start);
  const uint64_t rest = start + reserved_bytes - (aligned + size_bytes);
  if (rest > 0) munmap(at + size_bytes, rest);
  return host;
}

absl::StatusOr<UniqueFd> CreateMemfd(int node, uint64_t size_bytes,
                                     GuestMemory::Pages pages) {
  const std::string name = absl::StrCat("guest-node", node);
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const unsigned flags = pages == GuestMemory::Pages::kPool
                             ? kFlags | MFD_HUGETLB | MFD_HUGE_2MB
                             : kFlags;
  UniqueFd fd(memfd_create(name.c_str(), flags));
  if (!fd) {
    return absl::ErrnoToStatus(errno, absl::StrCat("memfd_create ", name));
  }
  if (ftruncate(fd.get(), static_cast<off_t>(size_bytes)) != 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "size ", name, " to ", size_bytes, " bytes: ", std::strerror(errno)));
  }
  // Whoever else maps it need not fear that it is taken away underneath.
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("seal ", name));
  }
  return fd;
}

absl::Status PreadAll(int fd, std::byte* to, uint64_t size, uint64_t offset) {
  while (size > 0) {
    const ssize_t n = pread(fd, to, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "read into guest memory");
    if (n == 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "file ends at ", offset, ", ", size, " bytes before it should"));
    }
    to += n;
    offset += n;
    size -= n;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<GuestMemory>> GuestMemory::Create(
    std::vector<Range> ranges, Pages pages) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
  const uint64_t page = pages == Pages::kPool ? kHugePageSize : kPageSize;
  ABSL_RETURN_IF_ERROR(CheckRanges(ranges, page));
  auto memory = std::unique_ptr<GuestMemory>(new GuestMemory);
  ABSL_RETURN_IF_ERROR(memory->MapRegions(ranges, pages));
  return memory;
}

absl::Status GuestMemory::MapRegions(const std::vector<Range>& ranges,
                                     Pages pages) {
  std::map<int, uint64_t> node_ends;
  for (const Range& range : ranges) {
    uint64_t& end = node_ends[range.node];
    end = AlignLike(end, range.start) + range.size_bytes;
  }
  std::map<int, int> node_fds;
  for (const auto& [node, size] : node_ends) {
    ABSL_ASSIGN_OR_RETURN(UniqueFd fd, CreateMemfd(node, size, pages));
    node_fds[node] = fd.get();
    memfds_.push_back(std::move(fd));
  }
  std::map<int, uint64_t> used;
  regions_.reserve(ranges.size());
  for (const Range& range : ranges) {
    Region region{.start = range.start,
                  .size_bytes = range.size_bytes,
                  .node = range.node,
                  .memfd = node_fds[range.node],
                  .memfd_offset = AlignLike(used[range.node], range.start)};
    void* host = MapAligned(region.start, region.size_bytes, region.memfd,
                            region.memfd_offset);
    if (host == MAP_FAILED) {
      return absl::ResourceExhaustedError(
          absl::StrCat("map ", Describe(region.start, region.size_bytes), ": ",
                       std::strerror(errno)));
    }
    region.host = static_cast<std::byte*>(host);
    regions_.push_back(region);
    used[range.node] = region.memfd_offset + range.size_bytes;
    size_bytes_ += range.size_bytes;
  }
  return absl::OkStatus();
}

GuestMemory::~GuestMemory() {
  for (const Region& region : regions_) munmap(region.host, region.size_bytes);
}

const GuestMemory::Region* GuestMemory::RegionAt(GuestPhysAddr gpa) const {
  auto after = std::upper_bound(
      regions_.begin(), regions_.end(), gpa,
      [](GuestPhysAddr a, const Region& region) { return a < region.start; });
  if (after == regions_.begin()) return nullptr;
  const Region& region = *std::prev(after);
  return gpa - region.start < region.size_bytes ? &region : nullptr;
}

bool GuestMemory::Contains(GuestPhysAddr gpa, uint64_t size_bytes) const {
  if (size_bytes == 0) return true;
  const Region* region = RegionAt(gpa);
  if (region == nullptr) return false;
  const Region* const end = regions_.data() + regions_.size();
  uint64_t covered = region->end() - gpa;
  while (covered < size_bytes) {
    ++region;
    if (region == end || region->start != gpa + covered) return false;
    covered += region->size_bytes;
  }
  return true;
}

template <typename Visit>
absl::Status GuestMemory::ForEachPiece(GuestPhysAddr gpa, uint64_t size_bytes,
                                       Visit visit) const {
  // Judge the whole range before using any of it.
  if (!Contains(gpa, size_bytes)) {
    return absl::OutOfRangeError(
        absl::StrCat(Describe(gpa, size_bytes), " is not all RAM"));
  }
  const Region* region = RegionAt(gpa);
  for (uint64_t done = 0; done < size_bytes; ++region) {
    const uint64_t offset = (gpa + done) - region->start;
    const uint64_t n = std::min(size_bytes - done, region->size_bytes - offset);
    visit(region->host + offset, n, done);
    done += n;
  }
  return absl::OkStatus();
}

absl::Status GuestMemory::Read(GuestPhysAddr gpa,
                               absl::Span<std::byte> out) const {
  return ForEachPiece(gpa, out.size(),
                      [&](std::byte* host, uint64_t n, uint64_t done) {
                        std::memcpy(out.data() + done, host, n);
                      });
}

absl::Status GuestMemory::Write(GuestPhysAddr gpa,
                                absl::Span<const std::byte> bytes) {
  return ForEachPiece(gpa, bytes.size(),
                      [&](std::byte* host, uint64_t n, uint64_t done) {
                        std::memcpy(host, bytes.data() + done, n);
                      });
}

absl::Status GuestMemory::Fill(GuestPhysAddr gpa, uint64_t size_bytes,
                               uint8_t value) {
  return ForEachPiece(gpa, size_bytes,
                      [&](std::byte* host, uint64_t n, uint64_t) {
                        std::memset(host, value, n);
                      });
}

namespace {

template <typename T>
absl::StatusOr<T> ReadInteger(const GuestMemory& memory, GuestPhysAddr gpa) {
  T value = 0;
  // SAFETY: any object may be seen as bytes; the span ends with the object.
  ABSL_RETURN_IF_ERROR(memory.Read(
      gpa,
      absl::MakeSpan(reinterpret_cast<std::byte*>(&value), sizeof(value))));
  return value;
}

template <typename T>
absl::Status WriteInteger(GuestMemory& memory, GuestPhysAddr gpa, T value) {
  // SAFETY: any object may be seen as bytes; the span ends with the object.
  return memory.Write(
      gpa, absl::MakeConstSpan(reinterpret_cast<const std::byte*>(&value),
                               sizeof(value)));
}

absl::Status CheckAtomicU16(const GuestMemory::Region* region,
                            GuestPhysAddr gpa) {
  if (!gpa.IsAlignedTo(sizeof(uint16_t))) {
    return absl::InvalidArgumentError(
        absl::StrCat(Describe(gpa, sizeof(uint16_t)), " is not 2-aligned"));
  }
  if (region == nullptr) {
    return absl::OutOfRangeError(
        absl::StrCat(Describe(gpa, sizeof(uint16_t)), " is not RAM"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<uint16_t> GuestMemory::ReadU16(GuestPhysAddr gpa) const {
  return ReadInteger<uint16_t>(*this, gpa);
}
absl::StatusOr<uint32_t> GuestMemory::ReadU32(GuestPhysAddr gpa) const {
  return ReadInteger<uint32_t>(*this, gpa);
}
absl::StatusOr<uint64_t> GuestMemory::ReadU64(GuestPhysAddr gpa) const {
  return ReadInteger<uint64_t>(*this, gpa);
}
absl::Status GuestMemory::WriteU16(GuestPhysAddr gpa, uint16_t value) {
  return WriteInteger(*this, gpa, value);
}
absl::Status GuestMemory::WriteU32(GuestPhysAddr gpa, uint32_t value) {
  return WriteInteger(*this, gpa, value);
}
absl::Status GuestMemory::WriteU64(GuestPhysAddr gpa, uint64_t value) {
  return WriteInteger(*this, gpa, value);
}

absl::StatusOr<uint16_t> GuestMemory::LoadAcquireU16(GuestPhysAddr gpa) const {
  const Region* region = RegionAt(gpa);
  ABSL_RETURN_IF_ERROR(CheckAtomicU16(region, gpa));
  // SAFETY: aligned, and regions are whole pages, so both bytes lie inside.
  return __atomic_load_n(
      reinterpret_cast<const uint16_t*>(region->host + (gpa - region->start)),
      __ATOMIC_SEQ_CST);
}

absl::Status GuestMemory::StoreReleaseU16(GuestPhysAddr gpa, uint16_t value) {
  const Region* region = RegionAt(gpa);
  ABSL_RETURN_IF_ERROR(CheckAtomicU16(region, gpa));
  // SAFETY: aligned, and regions are whole pages, so both bytes lie inside.
  __atomic_store_n(
      reinterpret_cast<uint16_t*>(region->host + (gpa - region->start)), value,
      __ATOMIC_SEQ_CST);
  return absl::OkStatus();
}

absl::Status GuestMemory::AppendIovecs(GuestPhysAddr gpa, uint64_t size_bytes,
                                       std::vector<iovec>& out) const {
  return ForEachPiece(gpa, size_bytes,
                      [&](std::byte* host, uint64_t n, uint64_t) {
                        out.push_back({.iov_base = host, .iov_len = n});
                      });
}

bool GuestMemory::BackWithHugePages(GuestPhysAddr gpa, uint64_t size_bytes) {
  bool are_all_huge = true;
  for (const Region& region : regions_) {
    const uint64_t first = AlignLike(
        std::max(region.start.value(), gpa.value()), GuestPhysAddr(0));
    const uint64_t end =
        std::min(region.end().value(), gpa.value() + size_bytes) /
        kHugePageSize * kHugePageSize;
    if (first >= end) continue;
    // SAFETY: [first, end) lies in the region.
    std::byte* host = region.host + (first - region.start.value());
    // A page that holds nothing at all is no candidate for the kernel.
    for (uint64_t at = 0; at < end - first; at += kHugePageSize) {
      __atomic_fetch_or(reinterpret_cast<uint8_t*>(host + at), 0,
                        __ATOMIC_RELAXED);
    }
    are_all_huge &= madvise(host, end - first, MADV_COLLAPSE) == 0;
  }
  return are_all_huge;
}

absl::Status GuestMemory::BindNode(int node, int host_node) {
  constexpr int kMostNodes = 1024;
  constexpr int kWordBits = 64;
  if (host_node < 0 || host_node >= kMostNodes) {
    return absl::InvalidArgumentError(
        absl::StrCat("host NUMA node ", host_node, " does not exist"));
  }
  std::array<uint64_t, kMostNodes / kWordBits> mask = {};
  mask[host_node / kWordBits] = uint64_t{1} << (host_node % kWordBits);
  for (const Region& region : regions_) {
    if (region.node != node) continue;
    // The kernel takes one bit less than it is told.
    if (syscall(SYS_mbind, region.host, region.size_bytes, MPOL_BIND,
                mask.data(), kMostNodes + 1, 0) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("memory of guest node ", node,
                              " from host NUMA node ", host_node));
    }
  }
  return absl::OkStatus();
}

absl::Status GuestMemory::Populate() {
  for (const Region& region : regions_) {
    if (madvise(region.host, region.size_bytes, MADV_POPULATE_WRITE) == 0) {
      continue;
    }
    return absl::ResourceExhaustedError(absl::StrCat(
        "host memory for the ", Describe(region.start, region.size_bytes), ": ",
        std::strerror(errno)));
  }
  return absl::OkStatus();
}

absl::Status GuestMemory::ReadFromFile(GuestPhysAddr gpa, int fd,
                                       uint64_t offset, uint64_t size_bytes) {
  absl::Status status;
  ABSL_RETURN_IF_ERROR(ForEachPiece(
      gpa, size_bytes, [&](std::byte* host, uint64_t n, uint64_t done) {
        if (status.ok()) status = PreadAll(fd, host, n, offset + done);
      }));
  return Annotate(status, Describe(gpa, size_bytes));
}

}  // namespace ktstr::vmm
