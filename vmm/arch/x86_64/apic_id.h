// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_APIC_ID_H_
#define KTSTR_VMM_ARCH_X86_64_APIC_ID_H_

#include <bit>
#include <cstdint>

#include "model/machine_topology.h"

namespace ktstr::vmm {

// How a CPU's place in the topology is written into its APIC id:
//
//   llc << (core_bits + thread_bits) | core << thread_bits | thread
//
// Shape: each width is ceil(log2(count)), so ids have gaps whenever a count is
//        not a power of two. The same whatever LLCs are: that decides
//        only how many of the bits name the package.
struct ApicIdLayout {
  explicit ApicIdLayout(const MachineTopology& machine)
      : thread_bits(BitsFor(machine.topology().threads_per_core())),
        core_bits(BitsFor(machine.topology().cores_per_llc())),
        llc_bits(BitsFor(machine.topology().llcs())),
        package_is_llc(machine.llcs_are() == LlcsAre::kPackages) {}

  uint32_t IdOf(const CpuPlace& place) const {
    return uint32_t(place.llc) << llc_shift() |
           uint32_t(place.core) << thread_bits | uint32_t(place.thread);
  }
  uint32_t HighestId(const MachineTopology& machine) const {
    return IdOf(machine.PlaceOf(machine.cpus() - 1));
  }
  int llc_shift() const { return core_bits + thread_bits; }
  // Ids without their lowest package_shift() bits name the package.
  int package_shift() const {
    return package_is_llc ? llc_shift() : llc_bits + llc_shift();
  }

  int thread_bits;
  int core_bits;
  int llc_bits;
  bool package_is_llc;

 private:
  static int BitsFor(int count) {
    return int(std::bit_width(uint32_t(count) - 1));
  }
};

// Highest APIC id that the IOAPIC and an xAPIC can address.
inline constexpr uint32_t kMaxXapicId = 254;

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_APIC_ID_H_
