// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_GUEST_CPUID_REPORT_H_
#define KTSTR_TESTS_GUEST_CPUID_REPORT_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "model/machine_topology.h"
#include "tests/guest/facts.h"

namespace ktstr::guest {

struct CpuidRegisters {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
};

// What the CPU under consideration answers to a leaf and subleaf.
using CpuidReader = std::function<CpuidRegisters(uint32_t, uint32_t)>;

// Compares leaves 0, 1, 4, 0xB, 0x1F, 0x80000008, 0x8000001D, 0x8000001E and
// 0x80000026 of CPU `cpu` with the declaration, as far as its vendor has them.
//
// Source: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E.
void CompareCpuid(const MachineTopology& declared, int cpu,
                  const CpuidReader& read, Facts& facts);

// Whether this machine's leaf 0 says AMD.
bool ThisMachineIsAmd();

// The same on every CPU of this machine: the calling thread moves from one to
// the next and back to where it may run.
//
// Errors: a CPU cannot be moved to.
absl::Status CompareCpuidOfThisMachine(const MachineTopology& declared,
                                       Facts& facts);

}  // namespace ktstr::guest

#endif  // KTSTR_TESTS_GUEST_CPUID_REPORT_H_
