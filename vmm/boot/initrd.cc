// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/boot/initrd.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kPage = GuestMemory::kPageSize;
// More than any guest has RAM; keeps sums of sizes from wrapping.
constexpr uint64_t kMaxArchiveBytes = uint64_t{1} << 40;

uint64_t RoundUp(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

struct Archive {
  int fd;
  uint64_t size_bytes;
};

absl::StatusOr<std::vector<Archive>> Measure(absl::Span<const int> fds) {
  std::vector<Archive> archives;
  for (int fd : fds) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
      return absl::ErrnoToStatus(errno,
                                 absl::StrCat("initramfs descriptor ", fd));
    }
    uint64_t size = uint64_t(info.st_size);
    if (!S_ISREG(info.st_mode) || size > kMaxArchiveBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("initramfs descriptor ", fd, " is not a regular file"));
    }
    if (size > 0) archives.push_back({.fd = fd, .size_bytes = size});
  }
  return archives;
}

// Where RAM that starts at or below `ceiling` ends, at most `ceiling`.
GuestPhysAddr TopOfRam(const GuestMemory& memory, GuestPhysAddr ceiling) {
  GuestPhysAddr top;
  for (const auto& region : memory.regions()) {
    if (region.start < ceiling) top = std::min(region.end(), ceiling);
  }
  return top;
}

}  // namespace

absl::StatusOr<InitrdRange> PlaceInitrds(absl::Span<const int> fds,
                                         GuestPhysAddr floor,
                                         GuestPhysAddr ceiling,
                                         GuestMemory& memory) {
  ABSL_ASSIGN_OR_RETURN(std::vector<Archive> archives, Measure(fds));
  if (archives.empty()) return InitrdRange();
  uint64_t total = 0;
  for (const auto& archive : archives) total += RoundUp(archive.size_bytes);
  uint64_t bottom = RoundUp(floor.value());
  uint64_t top = TopOfRam(memory, ceiling).value() / kPage * kPage;
  if (top < bottom || total > top - bottom) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "initramfs of ", total >> 20, " MiB does not fit: the machine has ",
        memory.size_bytes() >> 20, " MiB of memory, ",
        top < bottom ? 0 : (top - bottom) >> 20, " MiB of it free for it"));
  }
  InitrdRange range = {.start = GuestPhysAddr(top - total)};
  GuestPhysAddr next = range.start;
  for (const auto& archive : archives) {
    ABSL_RETURN_IF_ERROR(
        Annotate(memory.ReadFromFile(next, archive.fd, 0, archive.size_bytes),
                 "initramfs"));
    range.size_bytes = next - range.start + archive.size_bytes;
    next = next + RoundUp(archive.size_bytes);
  }
  return range;
}

}  // namespace ktstr::vmm
