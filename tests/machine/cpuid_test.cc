// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The CPUID leaves vmm builds, read back by the very code that reads them in a
// guest, say what was declared: on hosts of both vendors, for every machine.
#include "vmm/arch/x86_64/cpuid.h"

#include <string>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/guest/cpuid_report.h"
#include "tests/machine/catalogue.h"

namespace ktstr::machine_tests {
namespace {

vmm::CpuidEntries IntelHost() {
  return {{.function = 0,
           .eax = 0x16,
           .ebx = 0x756E6547,
           .ecx = 0x6C65746E,
           .edx = 0x49656E69},
          {.function = 1, .eax = 0x806F8, .ebx = 0x07400800},
          {.function = 0x80000000, .eax = 0x80000008}};
}

vmm::CpuidEntries AmdHost() {
  return {{.function = 0,
           .eax = 0x10,
           .ebx = 0x68747541,
           .ecx = 0x444D4163,
           .edx = 0x69746E65},
          {.function = 1, .eax = 0xA20F10, .ebx = 0x07400800},
          {.function = 0x80000000, .eax = 0x80000026},
          {.function = 0x80000001, .eax = 0xA20F10}};
}

class CpuidTest : public ::testing::TestWithParam<CatalogueMachine> {
 protected:
  guest::Facts Compare(const vmm::CpuidEntries& host, int flipped_leaf = -1) {
    guest::Facts facts("");
    const MachineTopology machine = GetParam().Resolved();
    for (int cpu = 0; cpu < machine.cpus(); ++cpu) {
      vmm::CpuidEntries entries =
          vmm::BuildCpuid(host, {.machine = machine}, cpu);
      auto read = [&](uint32_t leaf, uint32_t subleaf) {
        for (const auto& entry : entries) {
          if (entry.function != leaf || entry.index != subleaf) continue;
          guest::CpuidRegisters found = {entry.eax, entry.ebx, entry.ecx,
                                         entry.edx};
          if (int(leaf) == flipped_leaf) found.ebx ^= 1u << 24 | 1u;
          return found;
        }
        return guest::CpuidRegisters();
      };
      guest::CompareCpuid(machine, cpu, read, facts);
    }
    return facts;
  }
};

TEST_P(CpuidTest, SaysWhatWasDeclared) {
  for (const auto& host : {IntelHost(), AmdHost()}) {
    const guest::Facts facts = Compare(host);
    EXPECT_GE(facts.checked(), GetParam().topology.cpus() * 40);
    EXPECT_TRUE(facts.differences().empty())
        << absl::StrJoin(facts.differences(), "\n");
  }
}

TEST_P(CpuidTest, AnotherAnswerIsADifference) {
  for (int leaf : {1, 0xB}) {
    EXPECT_THAT(
        Compare(AmdHost(), leaf).differences(),
        ::testing::SizeIs(GetParam().topology.cpus() * (leaf == 1 ? 1 : 2)));
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, CpuidTest,
                         ::testing::ValuesIn(AllMachines()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr::machine_tests
