// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/memory_plan.h"

#include "gtest/gtest.h"
#include "vmm/arch/x86_64/layout.h"

namespace ktstr::vmm {
namespace {

std::vector<GuestMemory::Range> Plan(int nodes, int64_t memory_mib) {
  return PlanMemory(*MachineTopology::Create(
      *Topology::Create(nodes, nodes, 1, 1), memory_mib));
}

TEST(MemoryPlanTest, SmallMachineIsOneRangeFromZero) {
  auto plan = Plan(1, 256);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].start.value(), 0u);
  EXPECT_EQ(plan[0].size_bytes, 256 * kMiB);
}

TEST(MemoryPlanTest, ExactlyThreeGiBDoesNotReachAboveTheHole) {
  auto plan = Plan(1, 3072);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].size_bytes, 3 * kGiB);
}

TEST(MemoryPlanTest, RamBeyondTheHoleContinuesAtFourGiB) {
  auto plan = Plan(1, 3073);
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[1].start.value(), 4 * kGiB);
  EXPECT_EQ(plan[1].size_bytes, kMiB);
  EXPECT_EQ(plan[1].node, 0);
}

TEST(MemoryPlanTest, NodeThatMeetsTheHoleHasTwoRanges) {
  auto plan = Plan(2, 4096);
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[1].node, 1);
  EXPECT_EQ(plan[1].start.value(), 2 * kGiB);
  EXPECT_EQ(plan[1].size_bytes, kGiB);
  EXPECT_EQ(plan[2].node, 1);
  EXPECT_EQ(plan[2].start.value(), 4 * kGiB);
  EXPECT_EQ(plan[2].size_bytes, kGiB);
}

TEST(MemoryPlanTest, RemainderGoesToTheLastNode) {
  auto plan = Plan(3, 100);
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].size_bytes, 33 * kMiB);
  EXPECT_EQ(plan[2].size_bytes, 34 * kMiB);
  EXPECT_EQ(plan[2].start.value(), 66 * kMiB);
}

TEST(MemoryPlanTest, ListedNodesHaveTheirOwnSizes) {
  auto plan = PlanMemory(
      *MachineTopology::Create(*Topology::Parse("1n1l1c1t"), 3200,
                               {.nodes = {{.llcs = 1, .memory_mib = 100},
                                          {.llcs = 0, .memory_mib = 3100}}}));
  ASSERT_EQ(plan.size(), 3u);
  EXPECT_EQ(plan[0].size_bytes, 100 * kMiB);
  EXPECT_EQ(plan[1].node, 1);
  EXPECT_EQ(plan[1].size_bytes, 2972 * kMiB);
  EXPECT_EQ(plan[2].node, 1);
  EXPECT_EQ(plan[2].start.value(), 4 * kGiB);
  EXPECT_EQ(plan[2].size_bytes, 128 * kMiB);
}

TEST(MemoryPlanTest, NodeWithoutAMebibyteHasNoRange) {
  auto plan = Plan(4, 2);
  ASSERT_EQ(plan.size(), 1u);
  EXPECT_EQ(plan[0].node, 3);
}

constexpr uint64_t kKernel = 25 * kMiB;

TEST(HugePagePlanTest, KernelAndTopOfRam) {
  auto plan = PlanHugePages(Plan(1, 512), kKernel, 5 * kMiB);
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_EQ(plan[0].start.value(), 0u);
  EXPECT_EQ(plan[0].size_bytes, 46 * kMiB);
  // 8 MiB of page descriptors, 4 of other things, the archive.
  EXPECT_EQ(plan[1].start.value(), 496 * kMiB);
  EXPECT_EQ(plan[1].size_bytes, 16 * kMiB);
}

TEST(HugePagePlanTest, SmallMachineIsPlannedOnce) {
  auto plan = PlanHugePages(Plan(1, 45), kKernel, 8 * kMiB);
  uint64_t next = 0;
  for (const auto& range : plan) {
    EXPECT_GE(range.start.value(), next);
    next = range.start.value() + range.size_bytes;
  }
  EXPECT_EQ(next, 44 * kMiB);
}

TEST(HugePagePlanTest, EveryNodeHasItsDescriptorsAtItsTop) {
  auto plan = PlanHugePages(Plan(2, 8192), kKernel, 6 * kMiB);
  ASSERT_EQ(plan.size(), 4u);
  // Node 0 and the lower part of node 1 (3 to 4 GiB is no RAM).
  EXPECT_EQ(plan[1].start.value() + plan[1].size_bytes, 3 * kGiB);
  EXPECT_EQ(plan[2].start.value() + plan[2].size_bytes, 5 * kGiB);
  EXPECT_EQ(plan[2].size_bytes, 20 * kMiB);
  EXPECT_EQ(plan[3].start.value() + plan[3].size_bytes, 9 * kGiB);
  EXPECT_EQ(plan[3].node, 1);
  EXPECT_EQ(plan[3].size_bytes, 68 * kMiB);
}

TEST(HugePagePlanTest, TinyKernelsTouchWhatTheyAre) {
  EXPECT_TRUE(PlanHugePages(Plan(1, 512), kMiB, 0).empty());
}

}  // namespace
}  // namespace ktstr::vmm
