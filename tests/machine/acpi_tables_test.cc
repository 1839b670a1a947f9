// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every ACPI table of every machine is what the ACPI component architecture's
// own compiler understands: disassembled and compiled again without an error,
// a warning or a remark, the bytes are the same but for the compiler's name.
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/machine/catalogue.h"
#include "vmm/arch/x86_64/acpi.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/memory_plan.h"

namespace ktstr::machine_tests {
namespace {

constexpr size_t kHeaderBytes = 36;
constexpr absl::Duration kPatience = absl::Seconds(60);

template <typename T>
T Get(const std::string& bytes, uint64_t at) {
  T value = {};
  EXPECT_LE(at + sizeof(T), bytes.size());
  if (at + sizeof(T) <= bytes.size()) {
    std::memcpy(&value, bytes.data() + at, sizeof(T));
  }
  return value;
}

struct Table {
  std::string signature;
  std::string bytes;
};

// The tables that the root pointer leads to, as `acpidump` would take them out
// of a running guest.
std::vector<Table> TablesOf(const MachineTopology& machine) {
  const vmm::VirtioMmioPlace devices[] = {
      {vmm::kVirtioMmio, vmm::kVirtioMmioStride, vmm::kVsockIrq},
      {vmm::kVirtioMmio + vmm::kVirtioMmioStride, vmm::kVirtioMmioStride,
       vmm::kConsoleIrq}};
  auto built = vmm::BuildAcpiTables(machine, vmm::PlanMemory(machine), devices,
                                    vmm::kAcpiTables,
                                    vmm::kAcpiTablesEnd - vmm::kAcpiTables);
  EXPECT_OK(built.status());
  if (!built.ok()) return {};
  // SAFETY: std::byte may be read as char.
  const std::string all(reinterpret_cast<const char*>(built->data()),
                        built->size());
  std::vector<Table> tables;
  auto add = [&](uint64_t address) {
    const uint64_t at = address - vmm::kAcpiTables;
    std::string bytes = all.substr(at, Get<uint32_t>(all, at + 4));
    tables.push_back({bytes.substr(0, 4), bytes});
  };
  add(Get<uint64_t>(all, 24));
  const std::string xsdt = tables[0].bytes;
  for (uint64_t at = kHeaderBytes; at < xsdt.size(); at += 8) {
    add(Get<uint64_t>(xsdt, at));
    if (tables.back().signature == "FACP") {
      const std::string fadt = tables.back().bytes;
      add(Get<uint64_t>(fadt, 140));
    }
  }
  return tables;
}

std::string Iasl(const std::string& dir, std::vector<std::string> args) {
  args.insert(args.begin(), "iasl");
  auto output = RunCommand({.argv = args, .working_dir = dir}, kPatience);
  if (!output.ok()) {
    ADD_FAILURE() << "iasl (package acpica-tools): " << output.status();
    return "";
  }
  std::string text = absl::StrCat(output->out, output->err);
  EXPECT_TRUE(output->exit.ok()) << output->exit.ToString() << "\n" << text;
  return text;
}

// Without checksum, and the identity of who compiled it.
std::string Comparable(std::string bytes) {
  bytes[9] = 0;
  std::memset(&bytes[28], 0, 8);
  return bytes;
}

class AcpiTablesTest : public ::testing::TestWithParam<CatalogueMachine> {};

TEST_P(AcpiTablesTest, SurviveDisassemblyAndCompilation) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("acpi-"));
  const MachineTopology machine = GetParam().Resolved();
  std::vector<Table> tables = TablesOf(machine);
  ASSERT_EQ(tables.size(), machine.has_memory_attributes() ? 7u : 6u);
  for (const Table& table : tables) {
    const std::string path = JoinPath(dir.path(), table.signature);
    ASSERT_OK(WriteFileAtomically(path + ".dat", table.bytes));
    std::string log = Iasl(dir.path(), {"-d", table.signature + ".dat"});
    EXPECT_FALSE(absl::StrContains(log, "rror") ||
                 absl::StrContains(log, "arning"))
        << log;
    log = Iasl(dir.path(),
               {"-p", table.signature + "-again", table.signature + ".dsl"});
    EXPECT_THAT(log, ::testing::HasSubstr("0 Errors, 0 Warnings, 0 Remarks"))
        << table.signature;
    ASSERT_OK_AND_ASSIGN(std::string again,
                         ReadFile(path + "-again.aml", 1 << 20));
    EXPECT_EQ(Comparable(again), Comparable(table.bytes)) << table.signature;
  }
}

INSTANTIATE_TEST_SUITE_P(Machines, AcpiTablesTest,
                         ::testing::ValuesIn(AllMachines()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr::machine_tests
