// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_CPUID_H_
#define KTSTR_VMM_ARCH_X86_64_CPUID_H_

#include <linux/kvm.h>

#include <cstdint>
#include <vector>

#include "model/topology.h"

namespace ktstr::vmm {

using CpuidEntries = std::vector<kvm_cpuid_entry2>;

// The caches every guest sees, whatever the host has: L1 and L2 of a core, L3
// of an LLC. Lines of 64 bytes.
struct CacheSizes {
  uint32_t l1d_kib = 32;
  uint32_t l1i_kib = 32;
  uint32_t l2_kib = 512;
  uint32_t l3_kib = 16 * 1024;
  uint32_t l1_ways = 8;
  uint32_t l2_ways = 8;
  uint32_t l3_ways = 16;
};

struct CpuidOptions {
  Topology topology;
  CacheSizes caches;
  // KVM_CAP_TSC_DEADLINE_TIMER: KVM_GET_SUPPORTED_CPUID does not mention it.
  bool has_tsc_deadline = false;
};

// What CPU `cpu` of the machine answers to CPUID, made from what KVM can give
// on this host (`host`): features are the host's, everything that tells
// topology or caches is the declaration's.
//
// Leaves written: 1, 4 (Intel), 0xB, 0x1F (Intel), 0x80000001, 0x80000005,
// 0x80000006, 0x80000008, 0x8000001D and 0x8000001E (AMD and Hygon); 0xA is
// zero (no PMU); 0x80000026 is not offered, because the kernel would believe
// it first. KVM's own leaves (kvmclock, steal time) pass through; they promise
// extended interrupt destinations where an id needs them.
//
// An AMD processor older than Zen 2 is presented as family 0x17 model 0x31:
// for older ones the kernel derives the LLC from the node or from three fixed
// bits of the APIC id instead of leaf 0x8000001D.
//
// Source: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E; Linux 6.12
//         arch/x86/kernel/cpu/{topology_*,cacheinfo}.c.
CpuidEntries BuildCpuid(const CpuidEntries& host, const CpuidOptions& options,
                        int cpu);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_CPUID_H_
