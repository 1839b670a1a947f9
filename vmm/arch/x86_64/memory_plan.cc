// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/memory_plan.h"

#include <algorithm>

#include "vmm/arch/x86_64/layout.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kHuge = GuestMemory::kHugePageSize;
// Where x86-64 kernels are linked: CONFIG_PHYSICAL_START.
constexpr uint64_t kKernelLink = 16 * kMiB;
// No Linux is as small.
constexpr uint64_t kSmallestKernelBytes = 4 * kMiB;
// struct page for each page.
constexpr uint64_t kBytesPerPageDescriptor = 64;
// Boot allocations that do not grow with the memory.
constexpr uint64_t kBootAllocations = 4 * kMiB;

}  // namespace

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

std::vector<GuestMemory::Range> PlanHugePages(
    const std::vector<GuestMemory::Range>& ranges, uint64_t kernel_bytes,
    uint64_t initrd_bytes) {
  std::vector<GuestMemory::Range> planned;
  if (kernel_bytes < kSmallestKernelBytes) return planned;
  uint64_t covered = 0;
  auto plan = [&](uint64_t start, uint64_t end, int node) {
    start = std::max((start + kHuge - 1) / kHuge * kHuge, covered);
    end = end / kHuge * kHuge;
    if (start >= end) return;
    planned.push_back({.start = GuestPhysAddr(start),
                       .size_bytes = end - start,
                       .node = node});
    covered = end;
  };
  const uint64_t low_end = kKernelLink + kernel_bytes + initrd_bytes;
  for (const GuestMemory::Range& range : ranges) {
    const uint64_t start = range.start.value();
    const uint64_t end = start + range.size_bytes;
    uint64_t top = kBootAllocations + range.size_bytes /
                                          GuestMemory::kPageSize *
                                          kBytesPerPageDescriptor;
    if (start < kInitrdCeiling && end >= std::min(kInitrdCeiling, end)) {
      top += initrd_bytes;
    }
    plan(start, std::min(low_end, end), range.node);
    plan(end - std::min(top, range.size_bytes), end, range.node);
  }
  return planned;
}

}  // namespace ktstr::vmm
