// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_ACPI_H_
#define KTSTR_VMM_ARCH_X86_64_ACPI_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/machine_topology.h"
#include "vmm/arch/x86_64/dsdt.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// The machine's ACPI tables as they lie in memory from `base` on: RSDP, XSDT,
// FADT, DSDT (vmm/arch/x86_64/dsdt.h), MADT, SRAT, SLIT, and HMAT where the
// machine has memory attributes. The power-management ports are those of
// AcpiPower (vmm/devices/acpi_power.h).
//
// Shape: RSDP at offset 0; each table 16-byte aligned, with checksum. CPUs are
//        listed in CPU-number order, so that the kernel numbers them likewise.
//        The FADT has no keyboard controller, no CMOS clock and no VGA: probing
//        for them costs seconds of boot.
// Errors:
//   InvalidArgument  the tables would not fit `max_bytes`.
// Source: ACPI specification 6.5, chapter 5.2.
absl::StatusOr<std::vector<std::byte>> BuildAcpiTables(
    const MachineTopology& machine, absl::Span<const GuestMemory::Range> ram,
    absl::Span<const VirtioMmioPlace> devices, uint64_t base,
    uint64_t max_bytes);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_ACPI_H_
