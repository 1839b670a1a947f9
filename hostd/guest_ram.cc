// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_ram.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace ktstr::hostd {
namespace {

// Whole pages of whatever size the file has.
constexpr uint64_t kWindowBytes = 2 << 20;

absl::Status CheckFile(const UniqueFd& file, uint64_t needed_bytes) {
  const int seals = fcntl(file.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return absl::FailedPreconditionError(
        "a file of guest memory is not sealed against shrinking");
  }
  struct stat info;
  if (fstat(file.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, "fstat guest memory");
  }
  if (static_cast<uint64_t>(info.st_size) < needed_bytes) {
    return absl::FailedPreconditionError(
        absl::StrCat("a file of guest memory has ", info.st_size,
                     " bytes, its map needs ", needed_bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GuestRam> GuestRam::Create(absl::string_view map,
                                          std::vector<UniqueFd> files) {
  ABSL_ASSIGN_OR_RETURN(std::vector<MappedRam> ram,
                        ParseMemoryMap(map, static_cast<int>(files.size())));
  for (const MappedRam& part : ram) {
    ABSL_RETURN_IF_ERROR(
        CheckFile(files[part.file], part.file_offset + part.size_bytes));
  }
  return GuestRam(std::move(ram), std::move(files));
}

template <typename Access>
absl::Status GuestRam::WithWord(uint64_t guest_physical, Access access) const {
  if (guest_physical % sizeof(uint64_t) != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "guest address %#x is not a multiple of 8", guest_physical));
  }
  for (const MappedRam& part : ram_) {
    if (guest_physical < part.start ||
        guest_physical - part.start >= part.size_bytes) {
      continue;
    }
    const uint64_t at = part.file_offset + (guest_physical - part.start);
    const uint64_t window = at - at % kWindowBytes;
    void* mapped =
        mmap(nullptr, kWindowBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
             files_[part.file].get(), static_cast<off_t>(window));
    if (mapped == MAP_FAILED) {
      return absl::ErrnoToStatus(errno, "map guest memory");
    }
    // SAFETY: the word lies within the file, which cannot shrink, and words of
    // 8 bytes do not cross pages.
    access(reinterpret_cast<uint64_t*>(static_cast<char*>(mapped) +
                                       (at - window)));
    munmap(mapped, kWindowBytes);
    return absl::OkStatus();
  }
  return absl::OutOfRangeError(
      absl::StrFormat("guest address %#x is no RAM", guest_physical));
}

absl::StatusOr<uint64_t> GuestRam::ReadU64(uint64_t guest_physical) const {
  uint64_t value = 0;
  ABSL_RETURN_IF_ERROR(WithWord(guest_physical, [&value](uint64_t* word) {
    value = __atomic_load_n(word, __ATOMIC_ACQUIRE);
  }));
  return value;
}

absl::Status GuestRam::WriteU64(uint64_t guest_physical, uint64_t value) {
  return WithWord(guest_physical, [value](uint64_t* word) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
  });
}

}  // namespace ktstr::hostd
