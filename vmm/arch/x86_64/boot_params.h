// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_BOOT_PARAMS_H_
#define KTSTR_VMM_ARCH_X86_64_BOOT_PARAMS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// What the zero page tells the kernel.
struct BootParamsSpec {
  absl::Span<const GuestMemory::Range> ram;
  // Zero size means no initramfs. Below 4 GiB.
  GuestPhysAddr initrd;
  uint64_t initrd_bytes = 0;
};

// The zero page (struct boot_params, 4096 bytes) for the 64-bit entry of a
// vmlinux: E820 map, command line, initramfs and RSDP as layout.h places them.
//
// Errors:
//   InvalidArgument  more RAM ranges than the E820 table has room for.
// Source: Documentation/arch/x86/zero-page.rst, boot.rst.
absl::StatusOr<std::vector<std::byte>> BuildBootParams(
    const BootParamsSpec& spec);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_BOOT_PARAMS_H_
