// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_HMAT_H_
#define KTSTR_VMM_ARCH_X86_64_HMAT_H_

#include <cstddef>
#include <vector>

#include "model/machine_topology.h"

namespace ktstr::vmm {

// The heterogeneous memory attribute table: to which CPUs each node's memory is
// nearest, access latency and bandwidth from every node with CPUs to every node
// with memory, memory-side caches.
//
// Shape:    latencies in steps of 1 ns, bandwidths in the machine's unit; nodes
//           without memory are left out, because kernels refuse them.
// REQUIRES: machine.has_memory_attributes().
// Source:   ACPI specification 6.5, 5.2.28; table revision 2.
std::vector<std::byte> BuildHmat(const MachineTopology& machine);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_HMAT_H_
