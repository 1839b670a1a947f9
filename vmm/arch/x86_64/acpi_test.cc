// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/acpi.h"

#include <cstring>
#include <map>
#include <string>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/memory_plan.h"
#include "vmm/devices/acpi_power.h"

namespace ktstr::vmm {
namespace {

// The tables of one machine, read back as a kernel does.
class Tables {
 public:
  Tables(const Topology& topology, int64_t memory_mib)
      : Tables(*MachineTopology::Create(topology, memory_mib)) {}
  explicit Tables(const MachineTopology& machine)
      : bytes_(*BuildAcpiTables(machine, PlanMemory(machine), {}, kAcpiTables,
                                kAcpiTablesEnd - kAcpiTables)) {
    EXPECT_EQ(Text(0, 8), "RSD PTR ");
    EXPECT_EQ(Sum(0, 20), 0);
    EXPECT_EQ(Sum(0, 36), 0);
    uint64_t xsdt = U64(24) - kAcpiTables;
    Check(xsdt, "XSDT");
    for (uint64_t at = 36; at < U32(xsdt + 4); at += 8) {
      uint64_t table = U64(xsdt + at) - kAcpiTables;
      std::string signature = Text(table, 4);
      Check(table, signature);
      tables_[signature] = table;
    }
  }

  uint64_t Find(const std::string& signature) { return tables_.at(signature); }
  bool Has(const std::string& signature) { return tables_.contains(signature); }
  uint64_t EndOf(uint64_t table) { return table + U32(table + 4); }
  void Check(uint64_t table, const std::string& signature) {
    EXPECT_EQ(Text(table, 4), signature);
    EXPECT_EQ(table % 16, 0u);
    ASSERT_LE(EndOf(table), bytes_.size());
    EXPECT_EQ(Sum(table, U32(table + 4)), 0) << signature;
  }

  uint8_t U8(uint64_t at) { return Get<uint8_t>(at); }
  uint16_t U16(uint64_t at) { return Get<uint16_t>(at); }
  uint32_t U32(uint64_t at) { return Get<uint32_t>(at); }
  uint64_t U64(uint64_t at) { return Get<uint64_t>(at); }
  std::string Text(uint64_t at, size_t size) {
    std::string text(size, 0);
    std::memcpy(text.data(), &bytes_.at(at), size);
    return text;
  }

 private:
  template <typename T>
  T Get(uint64_t at) {
    T value;
    bytes_.at(at + sizeof(T) - 1);
    std::memcpy(&value, &bytes_.at(at), sizeof(T));
    return value;
  }
  uint8_t Sum(uint64_t at, uint64_t size) {
    uint8_t sum = 0;
    for (uint64_t i = 0; i < size; ++i) sum += uint8_t(bytes_.at(at + i));
    return sum;
  }

  std::vector<std::byte> bytes_;
  std::map<std::string, uint64_t> tables_;
};

TEST(AcpiTest, FadtLeadsToPowerOffAndReset) {
  Tables tables(Topology(), 64);
  uint64_t fadt = tables.Find("FACP");
  EXPECT_EQ(tables.U32(fadt + 4), 276u);
  EXPECT_EQ(tables.U16(fadt + 46), kSciIrq);
  EXPECT_EQ(tables.U32(fadt + 48), 0u);
  EXPECT_EQ(tables.U32(fadt + 56), kAcpiPowerPort);
  EXPECT_EQ(tables.U32(fadt + 64), kAcpiPowerPort + AcpiPower::kControlOffset);
  EXPECT_EQ(tables.U8(fadt + 88), AcpiPower::kEventBytes);
  EXPECT_EQ(tables.U8(fadt + 89), AcpiPower::kControlBytes);
  EXPECT_EQ(tables.U16(fadt + 109) & 0x2, 0) << "keyboard controller present";
  EXPECT_EQ(tables.U64(fadt + 120), kI8042CommandPort);
  EXPECT_EQ(tables.U8(fadt + 128), kI8042ResetCommand);
  EXPECT_EQ(tables.U64(fadt + 152), kAcpiPowerPort);
  EXPECT_EQ(tables.U64(fadt + 176), kAcpiPowerPort + AcpiPower::kControlOffset);
  uint64_t dsdt = tables.U64(fadt + 140) - kAcpiTables;
  tables.Check(dsdt, "DSDT");
}

TEST(AcpiTest, MadtListsCpusInOrderWithSparseIds) {
  Tables tables(*Topology::Parse("1n3l3c1t"), 64);
  uint64_t madt = tables.Find("APIC");
  std::vector<int> ids;
  int io_apics = 0;
  for (uint64_t at = madt + 44; at < tables.EndOf(madt);
       at += tables.U8(at + 1)) {
    ASSERT_GT(tables.U8(at + 1), 0);
    if (tables.U8(at) == 0) {
      EXPECT_EQ(tables.U8(at + 2), ids.size());
      EXPECT_EQ(tables.U32(at + 4), 1u);
      ids.push_back(tables.U8(at + 3));
    }
    io_apics += tables.U8(at) == 1;
  }
  EXPECT_EQ(ids, (std::vector<int>{0, 1, 2, 4, 5, 6, 8, 9, 10}));
  EXPECT_EQ(io_apics, 1);
}

TEST(AcpiTest, LargeIdsUseX2ApicEntries) {
  Tables tables(*Topology::Parse("1n3l65c1t"), 64);
  uint64_t madt = tables.Find("APIC");
  uint32_t last = 0;
  for (uint64_t at = madt + 44; at < tables.EndOf(madt);
       at += tables.U8(at + 1)) {
    if (tables.U8(at) == 9) last = tables.U32(at + 4);
  }
  EXPECT_EQ(last, 2u * 128 + 64);
}

TEST(AcpiTest, SratGivesEveryCpuAndEveryRangeItsNode) {
  Topology topology = *Topology::Parse("2n2l2c1t");
  Tables tables(topology, 4096);
  uint64_t srat = tables.Find("SRAT");
  std::vector<uint32_t> cpu_nodes, memory_nodes;
  uint64_t memory = 0;
  for (uint64_t at = srat + 48; at < tables.EndOf(srat);
       at += tables.U8(at + 1)) {
    ASSERT_GT(tables.U8(at + 1), 0);
    if (tables.U8(at) == 2) cpu_nodes.push_back(tables.U32(at + 4));
    if (tables.U8(at) != 1) continue;
    memory_nodes.push_back(tables.U32(at + 2));
    uint64_t start = tables.U64(at + 8), size = tables.U64(at + 16);
    EXPECT_TRUE(start + size <= kHoleStart || start >= kHighRam);
    memory += size;
  }
  EXPECT_EQ(cpu_nodes, (std::vector<uint32_t>{0, 0, 1, 1}));
  EXPECT_EQ(memory_nodes, (std::vector<uint32_t>{0, 1, 1}));
  EXPECT_EQ(memory, 4096 * kMiB);
}

TEST(AcpiTest, SlitHasTenOnTheDiagonalOnly) {
  Tables tables(*Topology::Parse("3n3l1c1t"), 64);
  uint64_t slit = tables.Find("SLIT");
  ASSERT_EQ(tables.U64(slit + 36), 3u);
  for (int i = 0; i < 9; ++i) {
    EXPECT_EQ(tables.U8(slit + 44 + i), i % 4 == 0 ? 10 : 20);
  }
}

// Two LLCs on node 0, one on node 1, memory alone on node 2.
MachineTopology ListedNodes() {
  return *MachineTopology::Create(
      *Topology::Parse("2n3l2c1t"), 448,
      {.nodes = {{.llcs = 2, .memory_mib = 256, .latency_ns = 77},
                 {.llcs = 1, .memory_mib = 128},
                 {.memory_mib = 64,
                  .memory_side_cache =
                      MemorySideCache{
                          .size_mib = 16,
                          .line_bytes = 256,
                          .indexing = MemorySideCache::Indexing::kComplex,
                          .write_policy =
                              MemorySideCache::WritePolicy::kWriteThrough}}},
       .distances = {{10, 15, 40}, {15, 10, 28}, {40, 28, 10}}});
}

TEST(AcpiTest, ListedNodesHaveTheirCpusMemoryAndDistances) {
  Tables tables(ListedNodes());
  uint64_t srat = tables.Find("SRAT");
  std::vector<uint32_t> cpu_nodes, memory_nodes;
  for (uint64_t at = srat + 48; at < tables.EndOf(srat);
       at += tables.U8(at + 1)) {
    if (tables.U8(at) == 2) cpu_nodes.push_back(tables.U32(at + 4));
    if (tables.U8(at) == 1) memory_nodes.push_back(tables.U32(at + 2));
  }
  EXPECT_EQ(cpu_nodes, (std::vector<uint32_t>{0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(memory_nodes, (std::vector<uint32_t>{0, 1, 2}));
  uint64_t slit = tables.Find("SLIT");
  std::vector<int> distances;
  for (int i = 0; i < 9; ++i) distances.push_back(tables.U8(slit + 44 + i));
  EXPECT_EQ(distances, (std::vector<int>{10, 15, 40, 15, 10, 28, 40, 28, 10}));
}

TEST(AcpiTest, HmatTellsInitiatorsLatencyBandwidthAndCaches) {
  Tables tables(ListedNodes());
  uint64_t hmat = tables.Find("HMAT");
  EXPECT_EQ(tables.U8(hmat + 8), 2);
  uint64_t at = hmat + 40;
  for (uint32_t node = 0; node < 3; ++node, at += 40) {
    EXPECT_EQ(tables.U16(at), 0);
    EXPECT_EQ(tables.U32(at + 4), 40u);
    EXPECT_EQ(tables.U16(at + 8), 1);
    EXPECT_EQ(tables.U32(at + 12), node < 2 ? node : 1);
    EXPECT_EQ(tables.U32(at + 16), node);
  }
  std::vector<uint64_t> units;
  std::vector<std::vector<int>> entries;
  for (int type : {0, 3}) {
    EXPECT_EQ(tables.U16(at), 1);
    EXPECT_EQ(tables.U8(at + 9), type);
    ASSERT_EQ(tables.U32(at + 12), 2u);
    ASSERT_EQ(tables.U32(at + 16), 3u);
    units.push_back(tables.U64(at + 24));
    EXPECT_EQ(tables.U32(at + 36), 1u);
    EXPECT_EQ(tables.U32(at + 48), 2u);
    for (int i = 0; i < 6; ++i) {
      if (i == 0) entries.emplace_back();
      entries.back().push_back(tables.U16(at + 52 + 2 * i));
    }
    at += tables.U32(at + 4);
  }
  EXPECT_EQ(units, (std::vector<uint64_t>{1000, 1}));
  EXPECT_EQ(entries[0], (std::vector<int>{77, 150, 1200, 115, 100, 840}));
  EXPECT_EQ(entries[1],
            (std::vector<int>{51200, 34133, 5120, 34133, 51200, 7314}));
  EXPECT_EQ(tables.U16(at), 2);
  EXPECT_EQ(tables.U32(at + 8), 2u);
  EXPECT_EQ(tables.U64(at + 16), 16 * kMiB);
  EXPECT_EQ(tables.U32(at + 24), 256u << 16 | 2 << 12 | 2 << 8 | 1 << 4 | 1);
  EXPECT_EQ(at + 32, tables.EndOf(hmat));
}

TEST(AcpiTest, NodesOfWhichNothingIsSaidHaveNoHmat) {
  EXPECT_FALSE(Tables(*Topology::Parse("1n2l2c1t"), 64).Has("HMAT"));
  EXPECT_FALSE(Tables(*Topology::Parse("2n2l2c1t"), 64).Has("HMAT"));
}

TEST(AcpiTest, NodeWithoutMemoryIsNoTargetOfAttributes) {
  Tables tables(*MachineTopology::Create(*Topology::Parse("2n2l1c1t"), 1,
                                         {.latency_ns = {{9, 9}, {9, 9}}}));
  uint64_t hmat = tables.Find("HMAT");
  EXPECT_EQ(tables.U32(hmat + 40 + 16), 1u);
  EXPECT_EQ(tables.U16(hmat + 80), 1);
  EXPECT_EQ(tables.U32(hmat + 80 + 16), 1u);
}

TEST(AcpiTest, RefusesTablesThatDoNotFit) {
  auto machine =
      *MachineTopology::Create(*Topology::Create(512, 512, 1, 1), 512);
  EXPECT_THAT(BuildAcpiTables(machine, {}, {}, kAcpiTables,
                              kAcpiTablesEnd - kAcpiTables),
              absl_testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::vmm
