// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::Variant MakeVariant(const std::string& test, v1::Outcome outcome) {
  v1::Variant variant;
  v1::VariantSpec& spec = *variant.mutable_spec();
  spec.set_test(test);
  spec.set_preset("tiny-2llc");
  spec.set_topology("1n2l2c1t");
  spec.mutable_scheduler()->set_name("default");
  spec.mutable_kernel()->set_label("kernel_6_12");
  variant.mutable_result()->set_outcome(outcome);
  variant.mutable_result()->mutable_wall_time()->set_seconds(3);
  return variant;
}

TEST(VariantTableTest, AlignsColumns) {
  v1::Variant pass = MakeVariant("steady", v1::PASS);
  v1::Variant fail = MakeVariant("cpuset_split", v1::FAIL);
  fail.mutable_result()->set_reason("gap 900 ms\nabove 200 ms");
  EXPECT_EQ(VariantTable({&pass, &fail}, 0, false),
            "TEST          TOPOLOGY            SCHEDULER  OUTCOME  TIME    "
            "REASON\n"
            "steady        tiny-2llc 1n2l2c1t  default    PASS     3.00 s\n"
            "cpuset_split  tiny-2llc 1n2l2c1t  default    FAIL     3.00 s  "
            "gap 900 ms above 200 ms\n");
}

TEST(VariantTableTest, ShowsKernelsOnlyWhenTheyDiffer) {
  v1::Variant one = MakeVariant("steady", v1::PASS);
  v1::Variant two = MakeVariant("steady", v1::PASS);
  EXPECT_THAT(VariantTable({&one, &two}, 0, false),
              Not(HasSubstr("kernel_6_12")));
  two.mutable_spec()->mutable_kernel()->set_label("kernel_6_13");
  std::string table = VariantTable({&one, &two}, 0, false);
  EXPECT_THAT(table, HasSubstr("KERNEL"));
  EXPECT_THAT(table, HasSubstr("kernel_6_13"));
}

TEST(VariantTableTest, CutsToTheWidth) {
  v1::Variant fail = MakeVariant("steady", v1::FAIL);
  fail.mutable_result()->set_reason(std::string(500, 'x'));
  std::string table = VariantTable({&fail}, 70, false);
  for (size_t start = 0; start < table.size();) {
    size_t end = table.find('\n', start);
    EXPECT_LE(end - start, 70u);
    start = end + 1;
  }
}

TEST(VariantTableTest, ColoursOnlyWhenAsked) {
  v1::Variant fail = MakeVariant("steady", v1::FAIL);
  EXPECT_THAT(VariantTable({&fail}, 0, false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(VariantTable({&fail}, 0, true), HasSubstr("\x1b[1;31mFAIL"));
}

TEST(TotalsLineTest, NamesWhatOccurred) {
  v1::RunCounts counts;
  counts.set_total(24);
  counts.set_passed(22);
  counts.set_failed(1);
  counts.set_missed(1);
  EXPECT_EQ(TotalsLine(counts, 192),
            "24 variants: 22 passed, 1 failed, 1 missed in 3m 12s");
}

}  // namespace
}  // namespace ktstr::results
