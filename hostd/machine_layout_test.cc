// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/machine_layout.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A node with CPUs, and one of memory alone.
ktstr::v1::VariantSpec WithSlowNode() {
  ktstr::v1::VariantSpec variant;
  variant.set_memory_mib(768);
  ktstr::v1::MachineNode* node = variant.mutable_machine()->add_nodes();
  node->set_llcs(1);
  node->set_memory_mib(512);
  node = variant.mutable_machine()->add_nodes();
  node->set_memory_mib(256);
  node->set_latency_ns(400);
  for (int distance : {10, 17, 17, 10}) {
    variant.mutable_machine()->add_distances(distance);
  }
  return variant;
}

Topology OneNode() { return *Topology::Parse("1n1l2c1t"); }

TEST(MachineLayoutTest, ItIsTheVariants) {
  ASSERT_OK_AND_ASSIGN(MachineDetails details,
                       ReadMachineLayout(WithSlowNode(), OneNode()));
  ASSERT_EQ(details.nodes.size(), 2u);
  EXPECT_EQ(details.nodes[0].llcs, 1);
  EXPECT_EQ(details.nodes[0].latency_ns, std::nullopt);
  EXPECT_EQ(details.nodes[1].memory_mib, 256);
  EXPECT_EQ(details.nodes[1].latency_ns, 400);
  EXPECT_THAT(details.distances,
              ElementsAre(ElementsAre(10, 17), ElementsAre(17, 10)));
}

TEST(MachineLayoutTest, AUniformMachineListsNothing) {
  ASSERT_OK_AND_ASSIGN(MachineDetails details,
                       ReadMachineLayout({}, OneNode()));
  EXPECT_THAT(details.nodes, IsEmpty());
}

TEST(MachineLayoutTest, WhatMayNotBeIsNamed) {
  const auto why = [](const ktstr::v1::VariantSpec& variant) {
    return std::string(
        ReadMachineLayout(variant, OneNode()).status().message());
  };
  ktstr::v1::VariantSpec variant = WithSlowNode();
  variant.mutable_machine()->add_distances(10);
  EXPECT_THAT(why(variant), HasSubstr("5 distances of 2 nodes"));
  variant = WithSlowNode();
  variant.mutable_machine()->mutable_nodes(1)->set_memory_mib(-1);
  EXPECT_THAT(why(variant), HasSubstr("node 1"));
  variant = WithSlowNode();
  variant.set_memory_mib(1024);
  EXPECT_THAT(why(variant), HasSubstr("1024"));
  variant = WithSlowNode();
  variant.set_performance_mode(true);
  EXPECT_THAT(why(variant), HasSubstr("dedicated hardware"));
  variant = WithSlowNode();
  for (int i = 0; i < 100; ++i) variant.mutable_machine()->add_nodes();
  EXPECT_THAT(why(variant), HasSubstr("at most 64"));
}

}  // namespace
}  // namespace ktstr::hostd
