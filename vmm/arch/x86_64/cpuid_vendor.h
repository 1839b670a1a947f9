// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_CPUID_VENDOR_H_
#define KTSTR_VMM_ARCH_X86_64_CPUID_VENDOR_H_

#include "model/machine_topology.h"
#include "vmm/arch/x86_64/cpuid_entries.h"

namespace ktstr::vmm {

// Whether the leaves say AMD or Hygon.
bool IsAmdShaped(CpuidEntries& entries);

// Makes the leaves those of a processor of `vendor`: its name, a family that
// kernels know well (Ice Lake server; Zen 2), no features that only the other
// vendor has, no paravirtual features that need a hypercall, because its
// instruction differs by vendor. Nothing changes when the host is of that
// vendor.
//
// An AMD processor older than Zen 2 is presented as Zen 2 in any case (family
// 0x17 model 0x31): for older ones the kernel derives the LLC from the node or
// from three fixed bits of the APIC id instead of leaf 0x8000001D.
//
// Source: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E; Linux 6.12
//         Documentation/virt/kvm/x86/cpuid.rst.
void PresentVendor(CpuVendor vendor, CpuidEntries& entries);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_CPUID_VENDOR_H_
