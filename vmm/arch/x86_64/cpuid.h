// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_CPUID_H_
#define KTSTR_VMM_ARCH_X86_64_CPUID_H_

#include "model/machine_topology.h"
#include "vmm/arch/x86_64/cpuid_entries.h"

namespace ktstr::vmm {

struct CpuidOptions {
  MachineTopology machine;
  // KVM_CAP_TSC_DEADLINE_TIMER: KVM_GET_SUPPORTED_CPUID does not mention it.
  bool has_tsc_deadline = false;
  // KVM_HINTS_REALTIME: no vCPU is ever preempted, so that spinning pays.
  bool is_realtime = false;
};

// What CPU `cpu` of the machine answers to CPUID, made from what KVM can give
// on this host (`host`): features are the host's, everything that tells
// topology or caches is the declaration's. The vendor is the host's or the
// declared one (cpuid_vendor.h).
//
// Leaves written: 1, 2 and 4 (Intel), 0xB, 0x1F (Intel), 0x80000001,
// 0x80000005, 0x80000006, 0x80000008, 0x8000001D and 0x8000001E (AMD and
// Hygon); 0xA is zero (no PMU). LLCs that are dies are told by the die level of
// leaf 0x1F or, by AMD, of leaf 0x80000026, which is not offered otherwise: the
// kernel would believe it first. KVM's own leaves (kvmclock, steal time) pass
// through; they promise extended interrupt destinations where an id needs them.
//
// Source: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E; Linux 6.12
//         arch/x86/kernel/cpu/{topology_*,cacheinfo}.c.
CpuidEntries BuildCpuid(const CpuidEntries& host, const CpuidOptions& options,
                        int cpu);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_CPUID_H_
