// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every guest-physical address, port and interrupt number of the x86-64
// machine. Everyone else imports the name.
#ifndef KTSTR_VMM_ARCH_X86_64_LAYOUT_H_
#define KTSTR_VMM_ARCH_X86_64_LAYOUT_H_

#include <cstdint>

namespace ktstr::vmm {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

// --- First MiB: what the boot CPU needs before the kernel has its own. ---
// Free for the guest once it runs, except the ACPI area.

// Null, null, 64-bit code, data, TSS: 5 entries of 8 bytes.
inline constexpr uint64_t kGdt = 0x500;
// Zero page (struct boot_params), one page.
inline constexpr uint64_t kBootParams = 0x7000;
// The stack grows down from here, below the page tables.
inline constexpr uint64_t kBootStack = 0x8FF0;
// Identity map of the first GiB in 2 MiB pages: PML4, PDPT, PD, a page each.
inline constexpr uint64_t kPml4 = 0x9000;
inline constexpr uint64_t kPdpt = 0xA000;
inline constexpr uint64_t kPageDirectory = 0xB000;
inline constexpr uint64_t kIdentityMapBytes = kGiB;
// Kernel command line with its NUL: COMMAND_LINE_SIZE of arch/x86.
inline constexpr uint64_t kCmdline = 0x20000;
inline constexpr uint64_t kCmdlineMaxBytes = 2048;
// RAM the firmware of a PC would report as usable below 640 KiB.
inline constexpr uint64_t kLowRamEnd = 0x9FC00;
// RSDP first, then the other tables. In the area a kernel searches even without
// a pointer. Worst case, 1024 CPUs: MADT 16 KiB + SRAT 24 KiB + SLIT 1 MiB for
// 1024 nodes, which does not fit and is refused; 256 nodes need 64 KiB and do.
inline constexpr uint64_t kAcpiTables = 0xE0000;
inline constexpr uint64_t kAcpiTablesEnd = 0x100000;

// --- RAM ---

// No part of a kernel is loaded below.
inline constexpr uint64_t kKernelFloor = kMiB;
// The end of the initramfs lies at or below (initrd_addr_max of the boot
// protocol's default).
inline constexpr uint64_t kInitrdCeiling = 2 * kGiB;
// RAM ends here and goes on at kHighRam: slots, E820 and SRAT alike.
inline constexpr uint64_t kHoleStart = 3 * kGiB;
inline constexpr uint64_t kHighRam = 4 * kGiB;

// --- The hole: registers ---

// virtio-mmio transports, 4 KiB each: vsock, then the console.
inline constexpr uint64_t kVirtioMmio = 0xD0000000;
inline constexpr uint64_t kVirtioMmioStride = 0x1000;
inline constexpr uint64_t kIoApic = 0xFEC00000;
inline constexpr uint64_t kLocalApic = 0xFEE00000;
// Needed by KVM on Intel hosts without unrestricted guests: one page, then
// three for the TSS, just below where the firmware of a PC would lie.
inline constexpr uint64_t kKvmIdentityMap = 0xFFFBC000;
inline constexpr uint64_t kKvmTss = 0xFFFBD000;

// --- Ports ---

inline constexpr uint16_t kSerialPort = 0x3F8;
// The keyboard controller's first port; its second is at +4, the ports between
// belong to nobody.
inline constexpr uint16_t kI8042Port = 0x60;
inline constexpr uint16_t kI8042CommandPort = 0x64;
// The value that pulses the reset line through the keyboard controller.
inline constexpr uint8_t kI8042ResetCommand = 0xFE;
// ACPI PM1a event block and control register.
inline constexpr uint16_t kAcpiPowerPort = 0x600;

// --- Interrupts (ISA numbers, equal to IOAPIC inputs except the timer) ---

inline constexpr uint32_t kTimerIrq = 0;
inline constexpr uint32_t kTimerGsi = 2;
inline constexpr uint32_t kSerialIrq = 4;
inline constexpr uint32_t kVsockIrq = 5;
inline constexpr uint32_t kConsoleIrq = 6;
inline constexpr uint32_t kSciIrq = 9;

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_LAYOUT_H_
