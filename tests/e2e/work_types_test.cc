// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What workers say of themselves, against what the kernel says of them: under
// its own scheduler, and under a sched_ext one.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;

TEST(WorkTypesTest, TelemetryAgreesWithTheKernel) {
  SubmitRun run =
      Submit({Program("work_types"), "--preset", "tiny-2llc", "--scheduler",
              "default", "--scheduler", SchedulerPath()});
  ASSERT_THAT(run.results, SizeIs(2)) << run.out << run.err;
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS")
        << result.variant << ": " << result.reason << "\n"
        << result.finding_text;
  }
  EXPECT_NE(run.results[0].scheduler, run.results[1].scheduler);
}

}  // namespace
}  // namespace ktstr::e2e
