// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/memory_rules.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/topology.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
using Cpus = std::optional<std::vector<int>>;

// Two nodes of eight CPUs.
GuestTopology Machine() {
  return GuestTopology::FromDeclared(*Topology::Parse("2n4l2c2t"));
}

TEST(MemFlagsTest, CombineAndContain) {
  const MemFlags both = MemFlags::static_nodes() | MemFlags::numa_balancing();
  EXPECT_EQ(both.bits(), (1u << 15) | (1u << 13));
  EXPECT_EQ(MemFlags::relative_nodes().bits(), 1u << 14);
  EXPECT_TRUE(both.contains(MemFlags::static_nodes()));
  EXPECT_FALSE(both.contains(MemFlags::relative_nodes()));
  EXPECT_TRUE(both.contains(MemFlags::none()));
  EXPECT_TRUE(MemFlags::none().contains(MemFlags::none()));
}

TEST(MemPolicyTest, SaysWhatItIs) {
  EXPECT_EQ(MemPolicy::unchanged().ToString(), "unchanged");
  EXPECT_EQ(MemPolicy::bind({1, 0}).ToString(), "bind(0-1)");
  EXPECT_EQ(MemPolicy::interleave({0, 2})
                .with(MemFlags::static_nodes() | MemFlags::numa_balancing())
                .ToString(),
            "interleave(0,2)|static_nodes|numa_balancing");
}

TEST(MemPolicyTest, MistakesAreRefused) {
  EXPECT_THAT(MemPolicy::bind({}).Validate(),
              StatusIs(kInvalid, HasSubstr("names no node")));
  EXPECT_THAT(MemPolicy::interleave({}).Validate(), StatusIs(kInvalid));
  EXPECT_THAT(MemPolicy::preferred_many({}).Validate(), StatusIs(kInvalid));
  EXPECT_THAT(MemPolicy::weighted_interleave({}).Validate(),
              StatusIs(kInvalid));
  EXPECT_THAT(MemPolicy::preferred(-1).Validate(),
              StatusIs(kInvalid, HasSubstr("0 to 1023, not -1")));
  EXPECT_THAT(MemPolicy::local().with(MemFlags(1)).Validate(),
              StatusIs(kInvalid, HasSubstr("flags 0x1 are not")));
  EXPECT_THAT(MemPolicy::bind({0})
                  .with(MemFlags::static_nodes() | MemFlags::relative_nodes())
                  .Validate(),
              StatusIs(kInvalid, HasSubstr("static or relative")));
}

TEST(CheckMemoryPolicyTest, NodesMustBeThoseOfTheCpuset) {
  const GuestTopology machine = Machine();
  const Cpus first_node = std::vector<int>{0, 1, 2};
  EXPECT_THAT(CheckMemoryPolicy(MemPolicy::bind({0}), first_node, machine),
              IsOk());
  EXPECT_THAT(CheckMemoryPolicy(MemPolicy::bind({0, 1}),
                                std::vector<int>{0, 15}, machine),
              IsOk());
  EXPECT_THAT(CheckMemoryPolicy(MemPolicy::bind({0, 1}), first_node, machine),
              StatusIs(kInvalid, AllOf(HasSubstr("node 1 is none"),
                                       HasSubstr("MemFlags::static_nodes()"),
                                       HasSubstr("a cpuset with CPUs of it"))));
}

TEST(CheckMemoryPolicyTest, FlagsAndMissingCpusetsSayOtherwise) {
  const GuestTopology machine = Machine();
  const Cpus first_node = std::vector<int>{0};
  auto check = [&](const MemPolicy& policy, const Cpus& cpus) {
    return CheckMemoryPolicy(policy, cpus, machine);
  };
  EXPECT_THAT(check(MemPolicy::local(), first_node), IsOk());
  EXPECT_THAT(check(MemPolicy::bind({7}), std::nullopt), IsOk());
  EXPECT_THAT(check(MemPolicy::bind({}), std::nullopt), StatusIs(kInvalid));
  EXPECT_THAT(
      check(MemPolicy::bind({1}).with(MemFlags::static_nodes()), first_node),
      IsOk());
  EXPECT_THAT(
      check(MemPolicy::bind({1, 7}).with(MemFlags::static_nodes()), first_node),
      StatusIs(kInvalid, HasSubstr("there is no node 7, the machine has 0-1")));
  EXPECT_THAT(
      check(MemPolicy::bind({7}).with(MemFlags::relative_nodes()), first_node),
      IsOk());
}

TEST(ExpectedNodesTest, ThePolicyComesBeforeTheCpuset) {
  const GuestTopology machine = Machine();
  const Cpus first_node = std::vector<int>{0, 3};
  auto expected = [&](const MemPolicy& policy, const Cpus& cpus) {
    return ExpectedNodes(policy, cpus, machine);
  };
  EXPECT_THAT(expected(MemPolicy::unchanged(), first_node), ElementsAre(0));
  EXPECT_THAT(expected(MemPolicy::local(), first_node), ElementsAre(0));
  EXPECT_THAT(expected(MemPolicy::bind({1, 1}), first_node), ElementsAre(1));
  EXPECT_THAT(expected(MemPolicy::bind({1, 0}), std::nullopt),
              ElementsAre(0, 1));
  EXPECT_THAT(expected(MemPolicy::bind({3}).with(MemFlags::relative_nodes()),
                       std::nullopt),
              ElementsAre(1));
  EXPECT_THAT(expected(MemPolicy::unchanged(), std::nullopt), IsEmpty());
}

// Node 0 is there on every machine.
TEST(ApplyMemoryPolicyTest, TheKernelTakesNodeZeroAndRefusesTheLast) {
  EXPECT_EQ(ApplyMemoryPolicy(MemPolicy::unchanged()), "");
  const std::string refused = ApplyMemoryPolicy(MemPolicy::bind({1023}));
  if (refused == "memory policy bind(1023): Function not implemented") {
    GTEST_SKIP() << "a kernel without NUMA";
  }
  EXPECT_EQ(refused, "memory policy bind(1023): Invalid argument");
  EXPECT_EQ(ApplyMemoryPolicy(MemPolicy::bind({0})), "");
  EXPECT_EQ(ApplyMemoryPolicy(MemPolicy::preferred(0)), "");
  EXPECT_EQ(ApplyMemoryPolicy(
                MemPolicy::interleave({0}).with(MemFlags::static_nodes())),
            "");
  EXPECT_EQ(ApplyMemoryPolicy(MemPolicy::local()), "");
}

}  // namespace
}  // namespace ktstr::internal
