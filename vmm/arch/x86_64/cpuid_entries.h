// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_CPUID_ENTRIES_H_
#define KTSTR_VMM_ARCH_X86_64_CPUID_ENTRIES_H_

#include <linux/kvm.h>

#include <cstdint>
#include <vector>

namespace ktstr::vmm {

// CPUID leaves as KVM takes and gives them.
using CpuidEntries = std::vector<kvm_cpuid_entry2>;

// Subleaf 0 of the leaf, added with zeros if it is not there. Valid until the
// list changes.
inline kvm_cpuid_entry2& CpuidLeaf(CpuidEntries& entries, uint32_t function) {
  for (auto& entry : entries) {
    if (entry.function == function && entry.index == 0) return entry;
  }
  entries.push_back({.function = function});
  return entries.back();
}

// Removes every subleaf of the leaf.
inline void DropCpuidLeaf(CpuidEntries& entries, uint32_t function) {
  std::erase_if(entries, [function](const auto& entry) {
    return entry.function == function;
  });
}

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_CPUID_ENTRIES_H_
