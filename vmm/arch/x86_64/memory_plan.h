// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_
#define KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_

#include <cstdint>
#include <vector>

#include "model/topology.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// Where the RAM of each NUMA node lies: the one list that memory slots, E820
// and SRAT are made from.
//
// Shape: node 0 from address 0 upwards, then node 1, and so on, skipping the
//        hole at 3 to 4 GiB; a node that meets the hole has two ranges. Each
//        node gets the same number of whole MiB, the last one the remainder.
//        A node whose share is zero has no range.
std::vector<GuestMemory::Range> PlanMemory(const Topology& topology,
                                           uint64_t memory_mib);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_
