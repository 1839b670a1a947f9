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

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_MEMORY_PLAN_H_
