// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The guest's own view of its CPUs is the declared one.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

// The suite reads /sys/devices/system/{cpu,node} in the guest and fails with
// whatever differs from the declaration.
TEST(TopologyTest, GuestSysfsMatchesTheDeclaration) {
  SubmitRun run = Submit(
      {Program("topology"), "--filter", "matches_declaration", "--preset",
       "smt-2llc", "--preset", "odd-3llc", "--preset", "tiny-1llc", "--preset",
       "numa2-4llc", "--preset", "medium-8llc", "--preset", "max-cpu"});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_EQ(run.results.size(), 6u) << run.out << run.err;
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS")
        << result.variant << " " << result.topology << "\n"
        << result.finding_text;
  }
}

// With what it asks for, or not at all and with all that is missing.
TEST(TopologyTest, PerformanceModeIsGivenOrSkippedWithReasons) {
  SubmitRun run = Submit({Program("topology"), "--filter", "dedicated"});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  const VariantResult result = run.Of("dedicated");
  if (result.outcome == "PASS") return;
  EXPECT_EQ(result.outcome, "SKIP") << result.reason;
  EXPECT_THAT(result.reason, testing::StartsWith("performance mode: "));
  EXPECT_THAT(result.reason, testing::ContainsRegex("needed|must be"));
}

}  // namespace
}  // namespace ktstr::e2e
