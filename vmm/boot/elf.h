// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_BOOT_ELF_H_
#define KTSTR_VMM_BOOT_ELF_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// One PT_LOAD: bytes of the file that belong at a physical address.
struct ElfSegment {
  GuestPhysAddr start;
  // The rest, up to memory_bytes, is zero.
  uint64_t memory_bytes = 0;
  uint64_t file_offset = 0;
  uint64_t file_bytes = 0;

  GuestPhysAddr end() const { return start + memory_bytes; }
};

// What a loader needs to know of an ELF kernel.
//
// Shape: segments as in the file, none empty, none wrapping around; `entry`
// lies
//        in one of them.
struct ElfImage {
  GuestPhysAddr entry;
  std::vector<ElfSegment> segments;

  // The highest end of a segment.
  GuestPhysAddr end() const;
};

// Program headers of a kernel lie within this many bytes of the file's start.
inline constexpr size_t kElfHeadBytes = 64 * 1024;

// Reads the headers of an x86-64 executable.
//
// Shape:  `head` is the start of the file, all of it or at least kElfHeadBytes;
//         `file_bytes` its whole length.
// Trust:  neither is trusted.
// Errors:
//   InvalidArgument  not such a file; the message says what it is instead where
//                    it can tell (bzImage, script, another architecture), or
//                    which header is wrong.
// Source: System V ABI, chapters 4 and 5; AMD64 supplement.
absl::StatusOr<ElfImage> ParseElf(absl::Span<const std::byte> head,
                                  uint64_t file_bytes);

// Puts the kernel in `fd` where its program headers say, below `floor` nothing.
// RAM is expected to be zero. Segments are copied: mapping the read-only ones
// would save memory, but costs the guest a fault for each 4 KiB of them.
//
// Errors:
//   InvalidArgument  as ParseElf(), or a segment below `floor` or outside RAM.
//   the mapping of errno of a failed read.
absl::StatusOr<ElfImage> LoadElf(int fd, GuestPhysAddr floor,
                                 GuestMemory& memory);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_BOOT_ELF_H_
