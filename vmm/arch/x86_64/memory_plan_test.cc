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

}  // namespace
}  // namespace ktstr::vmm
