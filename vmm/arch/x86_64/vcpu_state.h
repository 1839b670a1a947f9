// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_VCPU_STATE_H_
#define KTSTR_VMM_ARCH_X86_64_VCPU_STATE_H_

#include <string>

#include "absl/status/status.h"
#include "vmm/arch/x86_64/cpuid.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// Gives a fresh vCPU its CPUID answers.
absl::Status SetCpuid(Vcpu& vcpu, const CpuidEntries& entries);

// The model-specific registers a PC's firmware would have set: fast string
// operations on, default memory type write-back.
absl::Status SetBootMsrs(Vcpu& vcpu);

// Long mode with paging and flat segments over the tables of page_tables.h, RIP
// at `entry`, RSI at the zero page, interrupts off, the local APIC in x2APIC
// mode: in xAPIC mode the kernel would ignore every CPU with an id above 254.
// Application processors need none of it: they wait for INIT and SIPI.
//
// Source: Documentation/arch/x86/boot.rst, "64-bit boot protocol".
absl::Status SetBootRegisters(Vcpu& vcpu, GuestPhysAddr entry);

// Registers and the bytes at RIP in one line, for a report. Says so when KVM
// does not tell.
//
// Threads: the vCPU's own, or any while it does not run.
// Trust:   addresses come from the guest; what cannot be read is left out.
std::string DescribeRegisters(Vcpu& vcpu, const GuestMemory& memory);

// RIP alone, or 0.
uint64_t InstructionPointer(Vcpu& vcpu);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_VCPU_STATE_H_
