// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_DSDT_H_
#define KTSTR_VMM_ARCH_X86_64_DSDT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace ktstr::vmm {

// Where a virtio-mmio transport lies.
struct VirtioMmioPlace {
  uint32_t gpa = 0;
  uint32_t size_bytes = 0;
  uint32_t irq = 0;  // edge-triggered, active high
};

// The machine's only definition block: the sleep state S5, and one device with
// the id LNRO0005 for each of `devices`, in their order. A kernel finds its
// virtio devices by these and not by words on its command line, because
// distributions build without CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES.
//
// REQUIRES: at most 16 devices.
// Source:   ACPI specification 6.5, chapter 20 (byte code) and 6.4 (resources);
//           drivers/virtio/virtio_mmio.c for the id.
std::vector<std::byte> BuildDsdt(absl::Span<const VirtioMmioPlace> devices);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_DSDT_H_
