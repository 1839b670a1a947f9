// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/memory_plan.h"

#include <algorithm>

#include "vmm/arch/x86_64/layout.h"

namespace ktstr::vmm {

std::vector<GuestMemory::Range> PlanMemory(const MachineTopology& machine) {
  std::vector<GuestMemory::Range> ranges;
  uint64_t next = 0;
  for (int node = 0; node < machine.node_count(); ++node) {
    uint64_t left = uint64_t(machine.nodes()[node].memory_mib) * kMiB;
    while (left > 0) {
      if (next == kHoleStart) next = kHighRam;
      uint64_t size =
          next < kHoleStart ? std::min(left, kHoleStart - next) : left;
      ranges.push_back(
          {.start = GuestPhysAddr(next), .size_bytes = size, .node = node});
      next += size;
      left -= size;
    }
  }
  return ranges;
}

}  // namespace ktstr::vmm
