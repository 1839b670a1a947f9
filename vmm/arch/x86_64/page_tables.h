// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_PAGE_TABLES_H_
#define KTSTR_VMM_ARCH_X86_64_PAGE_TABLES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// Selectors the 64-bit boot protocol asks for (__BOOT_CS, __BOOT_DS).
inline constexpr uint16_t kBootCodeSelector = 0x10;
inline constexpr uint16_t kBootDataSelector = 0x18;
inline constexpr uint16_t kBootTaskSelector = 0x20;
inline constexpr uint16_t kGdtBytes = 5 * 8;

// Writes the identity map of layout.h: 2 MiB pages, writable, supervisor.
//
// Source: Intel SDM vol. 3A, 4.5; Documentation/arch/x86/boot.rst, "64-bit boot
//         protocol".
absl::Status WritePageTables(GuestMemory& memory);

// Writes the flat GDT that matches the selectors above.
absl::Status WriteGdt(GuestMemory& memory);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_PAGE_TABLES_H_
