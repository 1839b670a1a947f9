// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/names.h"

#include "gtest/gtest.h"
#include "proto/attempt.pb.h"

namespace ktstr::results {
namespace {

v1::VariantSpec MakeSpec() {
  v1::VariantSpec spec;
  spec.set_name("gauntlet/steady/tiny-1llc/default");
  spec.set_topology("1n1l4c1t");
  spec.mutable_scheduler()->set_name("scx_simple");
  spec.mutable_kernel()->set_label("kernel_6_12");
  return spec;
}

TEST(NamesTest, NamesWhatItKnowsAndNumbersWhatItDoesNot) {
  EXPECT_EQ(OutcomeName(v1::MISS), "MISS");
  EXPECT_EQ(OutcomeName(77), "UNKNOWN_77");
  EXPECT_EQ(PhaseWords(v1::WORKLOAD_STARTED), "workload started");
  EXPECT_EQ(PhaseWords(0), "not started");
  EXPECT_EQ(SchedulerExitName(v1::EXIT_ERROR_STALL), "ERROR_STALL");
  EXPECT_EQ(SchedulerExitName(77), "UNKNOWN_77");
}

TEST(FileNamePartTest, LeavesNothingThatLeadsElsewhere) {
  EXPECT_EQ(FileNamePart("gauntlet/a b/../x"), "gauntlet_a_b_.._x");
  EXPECT_EQ(FileNamePart("../../etc"), "_._.._etc");
  EXPECT_EQ(FileNamePart(""), "_");
  EXPECT_EQ(FileNamePart(absl::string_view("a\0\x1b\xff", 4)), "a___");
  EXPECT_LE(FileNamePart(std::string(10000, 'a')).size(), 120u);
}

TEST(VariantHashTest, StaysAcrossRunsAndFollowsIdentity) {
  v1::VariantSpec spec = MakeSpec();
  std::string hash = VariantHash(spec);
  EXPECT_EQ(hash.size(), 16u);
  spec.set_seed(42);
  spec.mutable_kernel()->mutable_image()->set_sha256("other bytes");
  EXPECT_EQ(VariantHash(spec), hash);

  v1::VariantSpec topology = MakeSpec();
  topology.set_topology("1n2l2c1t");
  EXPECT_NE(VariantHash(topology), hash);
  v1::VariantSpec args = MakeSpec();
  args.mutable_scheduler()->add_args("-f");
  EXPECT_NE(VariantHash(args), hash);
  // The same word as an argument and as a flag is not the same variant.
  v1::VariantSpec flags = MakeSpec();
  flags.add_flags("-f");
  EXPECT_NE(VariantHash(flags), VariantHash(args));
}

}  // namespace
}  // namespace ktstr::results
