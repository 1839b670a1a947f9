// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_
#define KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_

#include <cstdint>
#include <vector>

#include "model/machine_topology.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// Where the RAM of each NUMA node lies: the one list that memory slots, E820
// and SRAT are made from.
//
// Shape: node 0 from address 0 upwards, then node 1, and so on, skipping the
//        hole at 3 to 4 GiB; a node that meets the hole has two ranges. A node
//        without memory has no range.
std::vector<GuestMemory::Range> PlanMemory(const MachineTopology& machine);

// What a guest writes before its init says hello. From address 0 upwards: the
// kernel's image (linked at 16 MiB) and around it what its page allocator gives
// first, above all the unpacked initramfs. And the top of every range of RAM,
// where its boot allocator takes from: page descriptors (64 bytes a page),
// per-CPU areas, and at the top of low RAM the initramfs as it was loaded.
// Measured with 6.12 on 512 MiB with an archive of 11 MiB: 59 MiB touched, all
// but 4 MiB of it in the 72 MiB named here.
//
// Shape: ascending, whole huge pages of `ranges`, none twice. Empty for images
//        that are smaller than any Linux.
std::vector<GuestMemory::Range> PlanHugePages(
    const std::vector<GuestMemory::Range>& ranges, uint64_t kernel_bytes,
    uint64_t initrd_bytes);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_
