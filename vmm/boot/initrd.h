// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_BOOT_INITRD_H_
#define KTSTR_VMM_BOOT_INITRD_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// Where the initramfs lies. No bytes means there is none.
struct InitrdRange {
  GuestPhysAddr start;
  uint64_t size_bytes = 0;
};

// Puts the archives one after another, in order, at the highest place that ends
// at or below `ceiling` and starts at or above `floor`.
//
// Shape:  each archive starts on a page of its own; the kernel's unpacker skips
//         the zeros between archives.
// Errors:
//   InvalidArgument     a descriptor is not a regular file.
//   ResourceExhausted   no room; the message names both sizes.
absl::StatusOr<InitrdRange> PlaceInitrds(absl::Span<const int> fds,
                                         GuestPhysAddr floor,
                                         GuestPhysAddr ceiling,
                                         GuestMemory& memory);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_BOOT_INITRD_H_
