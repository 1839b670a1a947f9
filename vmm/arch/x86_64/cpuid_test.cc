// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/cpuid.h"

#include <array>
#include <bit>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "vmm/arch/x86_64/apic_id.h"

namespace ktstr::vmm {
namespace {

kvm_cpuid_entry2 Entry(uint32_t function, uint32_t eax, uint32_t ebx,
                       uint32_t ecx, uint32_t edx) {
  return {.function = function, .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx};
}

// A host with another topology than any guest below: 64 threads, its own L3.
CpuidEntries IntelHost() {
  return {Entry(0, 0x16, 0x756E6547, 0x6C65746E, 0x49656E69),
          Entry(1, 0x000806F8, 0x07400800, 0x7FFEFBFF, 0xBFEBFBFF),
          Entry(4, 0xFC004121, 0x02C0003F, 0x3F, 0),
          Entry(0xA, 0x07300805, 0, 0, 0x603),
          Entry(0x80000000, 0x80000008, 0, 0, 0)};
}

CpuidEntries AmdHost(uint32_t signature = 0x00A20F10) {
  return {Entry(0, 0x10, 0x68747541, 0x444D4163, 0x69746E65),
          Entry(1, signature, 0x07400800, 0x7FFEFBFF, 0x178BFBFF),
          Entry(0x80000000, 0x80000026, 0, 0, 0),
          Entry(0x80000001, signature, 0, 0, 0),
          Entry(0x8000001E, 63, 0x0105, 0x0301, 0),
          Entry(0x80000026, 1, 2, 3, 4)};
}

kvm_cpuid_entry2 Leaf(const CpuidEntries& entries, uint32_t function,
                      uint32_t index = 0) {
  for (const auto& entry : entries) {
    if (entry.function == function && entry.index == index) return entry;
  }
  return {};
}

CpuidEntries Build(const CpuidEntries& host, const Topology& topology, int cpu,
                   const MachineDetails& details = {}) {
  return BuildCpuid(
      host,
      {.machine = *MachineTopology::Create(topology, 1024, details),
       .has_tsc_deadline = true},
      cpu);
}

// What Linux derives from the leaves, for one CPU.
struct Derived {
  uint32_t id, core, llc, package;
  auto operator<=>(const Derived&) const = default;
};

Derived DeriveAsLinuxDoes(const CpuidEntries& entries, uint32_t topology_leaf,
                          uint32_t cache_leaf) {
  uint32_t id = Leaf(entries, topology_leaf, 0).edx;
  uint32_t sharing = (Leaf(entries, cache_leaf, 3).eax >> 14 & 0xFFF) + 1;
  return {.id = id,
          .core = id >> Leaf(entries, topology_leaf, 0).eax,
          .llc = id >> std::countr_zero(std::bit_ceil(sharing)),
          .package = id >> Leaf(entries, topology_leaf, 1).eax};
}

class CpuidTopologyTest : public testing::TestWithParam<const char*> {
 protected:
  void CheckHost(const CpuidEntries& host, uint32_t topology_leaf,
                 uint32_t cache_leaf) {
    Topology topology = *Topology::Parse(GetParam());
    std::map<uint32_t, std::set<int>> llcs, cores;
    std::set<uint32_t> ids;
    for (int cpu = 0; cpu < topology.cpus(); ++cpu) {
      auto derived = DeriveAsLinuxDoes(Build(host, topology, cpu),
                                       topology_leaf, cache_leaf);
      EXPECT_EQ(derived.package, 0u);
      ids.insert(derived.id);
      llcs[derived.llc].insert(cpu);
      cores[derived.core].insert(cpu);
    }
    EXPECT_EQ(ids.size(), size_t(topology.cpus()));
    EXPECT_EQ(llcs.size(), size_t(topology.llcs()));
    EXPECT_EQ(cores.size(), size_t(topology.llcs() * topology.cores_per_llc()));
    for (const auto& [llc, cpus] : llcs) {
      int first = topology.PlaceOf(*cpus.begin()).llc;
      auto declared = topology.CpusOfLlc(first);
      EXPECT_EQ(cpus, std::set<int>(declared.begin(), declared.end()));
    }
    for (const auto& [core, cpus] : cores) {
      EXPECT_EQ(int(cpus.size()), topology.threads_per_core());
    }
  }
};

TEST_P(CpuidTopologyTest, IntelGuestSeesTheDeclaration) {
  CheckHost(IntelHost(), 0x1F, 4);
  CheckHost(IntelHost(), 0xB, 4);
}

TEST_P(CpuidTopologyTest, AmdGuestSeesTheDeclaration) {
  CheckHost(AmdHost(), 0xB, 0x8000001D);
}

INSTANTIATE_TEST_SUITE_P(Presets, CpuidTopologyTest,
                         testing::Values("1n1l1c1t", "1n1l4c1t", "1n2l2c1t",
                                         "1n3l3c1t", "1n2l2c2t", "2n4l8c2t",
                                         "3n3l5c1t", "1n1l64c1t", "1n14l9c2t",
                                         "1n14l18c1t"));

TEST(CpuidTest, LeafOneCarriesIdPackageSizeAndHypervisorFeatures) {
  auto entries = Build(IntelHost(), *Topology::Parse("1n2l2c2t"), 5);
  auto leaf = Leaf(entries, 1);
  EXPECT_EQ(leaf.ebx >> 24, 5u);
  EXPECT_EQ(leaf.ebx >> 16 & 0xFF, 8u);
  EXPECT_EQ(leaf.ebx & 0xFFFF, 0x0800u);
  EXPECT_TRUE(leaf.ecx & 1u << 31);
  EXPECT_TRUE(leaf.ecx & 1u << 24);
  EXPECT_TRUE(leaf.ecx & 1u << 21);
  EXPECT_TRUE(leaf.edx & 1u << 28);
}

TEST(CpuidTest, SingleCpuHasNoHyperThreadingFlag) {
  auto leaf = Leaf(Build(IntelHost(), Topology(), 0), 1);
  EXPECT_FALSE(leaf.edx & 1u << 28);
}

TEST(CpuidTest, CacheSizesAreDeclaredNotInherited) {
  auto entries = Build(IntelHost(), *Topology::Parse("1n1l2c1t"), 0);
  auto l3 = Leaf(entries, 4, 3);
  uint64_t ways = (l3.ebx >> 22) + 1, sets = l3.ecx + 1;
  EXPECT_EQ(ways * sets * 64, 16u * 1024 * 1024);
  EXPECT_EQ(Leaf(entries, 4, 4).eax, 0u);
}

TEST(CpuidTest, ExtendedDestinationsArePromisedWhereIdsNeedThem) {
  auto feature = [](const char* topology) {
    auto entries = Build(AmdHost(), *Topology::Parse(topology), 0);
    return Leaf(entries, 0x40000001).eax >> 15 & 1;
  };
  EXPECT_EQ(feature("1n15l8c2t"), 0u);
  EXPECT_EQ(feature("1n14l9c2t"), 1u);
}

TEST(CpuidTest, OnlyDedicatedCpusAreHintedAsNeverPreempted) {
  CpuidOptions options = {.machine = *MachineTopology::Create(Topology(), 256)};
  EXPECT_EQ(Leaf(BuildCpuid(AmdHost(), options, 0), 0x40000001).edx & 1, 0u);
  options.is_realtime = true;
  EXPECT_EQ(Leaf(BuildCpuid(AmdHost(), options, 0), 0x40000001).edx & 1, 1u);
}

TEST(CpuidTest, PmuIsAbsent) {
  EXPECT_EQ(Leaf(Build(IntelHost(), Topology(), 0), 0xA).eax, 0u);
}

TEST(CpuidTest, AmdNodeLeafTellsNodesAndCores) {
  Topology topology = *Topology::Parse("2n4l2c2t");
  auto entries = Build(AmdHost(), topology, 13);
  auto leaf = Leaf(entries, 0x8000001E);
  EXPECT_EQ(leaf.eax, 13u);
  EXPECT_EQ(leaf.ebx, 1u << 8 | 13u >> 1);
  EXPECT_EQ(leaf.ecx, 1u << 8 | 1u);
  EXPECT_EQ(Leaf(entries, 0x80000008).ecx, 4u << 12 | 15u);
}

TEST(CpuidTest, AmdLeafThatWouldOverrideTheTopologyIsNotOffered) {
  auto entries = Build(AmdHost(), Topology(), 0);
  EXPECT_LT(Leaf(entries, 0x80000000).eax, 0x80000026u);
  EXPECT_EQ(Leaf(entries, 0x80000026).eax, 0u);
}

TEST(CpuidTest, OldAmdFamiliesArePresentedAsZen2) {
  for (uint32_t old : {0x00000663u, 0x00600F12u, 0x00800F12u}) {
    auto entries = Build(AmdHost(old), Topology(), 0);
    EXPECT_EQ(Leaf(entries, 1).eax, 0x00830F10u) << std::hex << old;
    EXPECT_EQ(Leaf(entries, 0x80000001).eax, 0x00830F10u);
  }
  EXPECT_EQ(Leaf(Build(AmdHost(0x00A20F10), Topology(), 0), 1).eax,
            0x00A20F10u);
}

// Type, shift and count of each level of an extended topology leaf.
std::vector<std::array<uint32_t, 3>> Levels(const CpuidEntries& entries,
                                            uint32_t leaf) {
  std::vector<std::array<uint32_t, 3>> levels;
  for (uint32_t index = 0;; ++index) {
    auto entry = Leaf(entries, leaf, index);
    if ((entry.ecx >> 8) == 0) return levels;
    EXPECT_EQ(entry.ecx & 0xFF, index);
    levels.push_back({entry.ecx >> 8, entry.eax, entry.ebx});
  }
}
using LevelList = std::vector<std::array<uint32_t, 3>>;

TEST(CpuidTest, LlcsThatAreDiesHaveADieLevel) {
  Topology topology = *Topology::Parse("1n3l3c2t");
  const MachineDetails details = {.llcs_are = LlcsAre::kDies};
  auto intel = Build(IntelHost(), topology, 0, details);
  EXPECT_EQ(Levels(intel, 0x1F), (LevelList{{1, 1, 2}, {2, 3, 6}, {5, 5, 18}}));
  EXPECT_EQ(Levels(intel, 0xB), (LevelList{{1, 1, 2}, {2, 5, 18}}));
  auto amd = Build(AmdHost(), topology, 0, details);
  EXPECT_EQ(Levels(amd, 0x80000026),
            (LevelList{{1, 1, 2}, {2, 3, 6}, {3, 3, 6}, {4, 5, 18}}));
  EXPECT_EQ(Leaf(amd, 0x80000000).eax, 0x80000026u);
  EXPECT_TRUE(Levels(amd, 0x1F).empty());
}

TEST(CpuidTest, LlcsThatArePackagesEndTheIdAtTheLlc) {
  Topology topology = *Topology::Parse("2n4l3c2t");
  const MachineDetails details = {.llcs_are = LlcsAre::kPackages};
  auto intel = Build(IntelHost(), topology, 20, details);
  EXPECT_EQ(Levels(intel, 0x1F), (LevelList{{1, 1, 2}, {2, 3, 6}}));
  EXPECT_EQ(Leaf(intel, 1).ebx >> 16 & 0xFF, 8u);
  EXPECT_EQ(Leaf(intel, 4).eax >> 26, 3u);
  auto amd = Build(AmdHost(), topology, 20, details);
  EXPECT_EQ(Leaf(amd, 0xB).edx, 3u << 3 | 2u);
  EXPECT_EQ(Leaf(amd, 0x80000008).ecx, 3u << 12 | 5u);
  EXPECT_EQ(Leaf(amd, 0x8000001E).ebx, 1u << 8 | 1u);
  EXPECT_EQ(Leaf(amd, 0x8000001E).ecx, 1u);
}

TEST(CpuidTest, ListedNodesDecideTheNodeOfACpu) {
  Topology topology = *Topology::Parse("2n4l1c1t");
  const MachineDetails details = {.nodes = {{.llcs = 3, .memory_mib = 512},
                                            {.llcs = 1, .memory_mib = 512}}};
  EXPECT_EQ(Leaf(Build(AmdHost(), topology, 2, details), 0x8000001E).ecx,
            1u << 8 | 0u);
  EXPECT_EQ(Leaf(Build(AmdHost(), topology, 3, details), 0x8000001E).ecx,
            1u << 8 | 1u);
}

TEST(CpuidTest, DeclaredCachesAreInEveryLeafThatTellsThem) {
  const MachineDetails details = {
      .caches = {.l1d = {.size_kib = 48, .ways = 12},
                 .l1i = {.size_kib = 64, .ways = 16},
                 .l2 = {.size_kib = 1280, .ways = 20},
                 .l3 = {.size_kib = 98304, .ways = 24, .line_bytes = 128}}};
  Topology topology = *Topology::Parse("1n2l2c2t");
  auto intel = Build(IntelHost(), topology, 0, details);
  auto amd = Build(AmdHost(), topology, 0, details);
  for (const auto& [entries, leaf] :
       {std::pair{&intel, 4u}, {&amd, 0x8000001Du}}) {
    EXPECT_EQ(Leaf(*entries, leaf, 0).eax & 0x3FFFFFF, 1u << 14 | 0x121u);
    EXPECT_EQ(Leaf(*entries, leaf, 0).ebx, 11u << 22 | 63u);
    EXPECT_EQ(Leaf(*entries, leaf, 0).ecx, 63u);
    EXPECT_EQ(Leaf(*entries, leaf, 1).ecx, 63u);
    EXPECT_EQ(Leaf(*entries, leaf, 2).ebx, 19u << 22 | 63u);
    EXPECT_EQ(Leaf(*entries, leaf, 2).ecx, 1023u);
    EXPECT_EQ(Leaf(*entries, leaf, 3).ebx, 23u << 22 | 127u);
    EXPECT_EQ(Leaf(*entries, leaf, 3).ecx, 32767u);
    EXPECT_EQ(Leaf(*entries, leaf, 3).eax >> 14 & 0xFFF, 3u);
  }
  EXPECT_EQ(Leaf(amd, 0x80000005).ecx, 48u << 24 | 12u << 16 | 0x140u);
  EXPECT_EQ(Leaf(amd, 0x80000006).ecx, 1280u << 16 | 8u << 12 | 0x140u);
  EXPECT_EQ(Leaf(amd, 0x80000006).edx, 192u << 18 | 8u << 12 | 0x180u);
  EXPECT_EQ(Leaf(intel, 2).eax, 0xFF01u) << "caches told twice";
}

TEST(CpuidTest, AmdHostCanShowAnIntelGuest) {
  CpuidEntries host = AmdHost();
  host.push_back(Entry(0x40000001, 0x01012A80, 0, 0, 0));
  host.push_back(Entry(0x80000007, 0, 0, 0, 0x7FF));
  auto entries = Build(host, *Topology::Parse("1n2l2c2t"), 5,
                       {.cpu_vendor = CpuVendor::kIntel});
  EXPECT_EQ(Leaf(entries, 0).ebx, 0x756E6547u);
  EXPECT_EQ(Leaf(entries, 0).eax, 0x1Fu);
  EXPECT_EQ(Leaf(entries, 1).eax, 0x000606A6u);
  EXPECT_EQ(Leaf(entries, 4, 3).eax >> 14 & 0xFFF, 3u);
  EXPECT_EQ(Leaf(entries, 0x1F).edx, 5u);
  EXPECT_EQ(Leaf(entries, 0x80000000).eax, 0x80000008u);
  EXPECT_EQ(Leaf(entries, 0x80000000).ebx, 0u);
  EXPECT_EQ(Leaf(entries, 0x80000007).edx, 0x100u);
  EXPECT_EQ(Leaf(entries, 0x8000001D).eax, 0u);
  EXPECT_EQ(Leaf(entries, 0x8000001E).eax, 0u);
  EXPECT_EQ(Leaf(entries, 0x40000001).eax, 0x01000200u)
      << "hypercalls differ by vendor";
}

TEST(CpuidTest, IntelHostCanShowAnAmdGuest) {
  auto entries = Build(IntelHost(), *Topology::Parse("1n2l2c2t"), 5,
                       {.cpu_vendor = CpuVendor::kAmd});
  EXPECT_EQ(Leaf(entries, 0).ebx, 0x68747541u);
  EXPECT_EQ(Leaf(entries, 1).eax, 0x00830F10u);
  EXPECT_EQ(Leaf(entries, 1).ecx & 1u << 5, 0u) << "VMX";
  EXPECT_EQ(Leaf(entries, 4).eax, 0u);
  EXPECT_EQ(Leaf(entries, 0x80000000).eax, 0x8000001Eu);
  EXPECT_EQ(Leaf(entries, 0x80000000).ebx, 0x68747541u);
  EXPECT_EQ(Leaf(entries, 0x8000001D, 3).eax >> 14 & 0xFFF, 3u);
  EXPECT_EQ(Leaf(entries, 0x8000001E).eax, 5u);
}

TEST(CpuidTest, VendorOfTheHostChangesNothing) {
  for (const auto& [host, vendor] : {std::pair{IntelHost(), CpuVendor::kIntel},
                                     {AmdHost(), CpuVendor::kAmd}}) {
    auto plain = Build(host, Topology(), 0);
    auto named = Build(host, Topology(), 0, {.cpu_vendor = vendor});
    ASSERT_EQ(plain.size(), named.size());
    for (size_t i = 0; i < plain.size(); ++i) {
      EXPECT_EQ(plain[i].eax, named[i].eax) << std::hex << plain[i].function;
      EXPECT_EQ(plain[i].ebx, named[i].ebx) << std::hex << plain[i].function;
    }
  }
}

TEST(ApicIdTest, IdsAreSparseWhenACountIsNoPowerOfTwo) {
  Topology topology = *Topology::Parse("1n3l3c2t");
  ApicIdLayout ids(*MachineTopology::Create(topology, 256));
  EXPECT_EQ(ids.IdOf(topology.PlaceOf(0)), 0u);
  EXPECT_EQ(ids.IdOf(topology.PlaceOf(5)), 5u);
  EXPECT_EQ(ids.IdOf(topology.PlaceOf(6)), 8u);
  EXPECT_EQ(ids.IdOf(topology.PlaceOf(17)), 2u << 3 | 5u);
  EXPECT_EQ(ids.package_shift(), 5);
}

}  // namespace
}  // namespace ktstr::vmm
