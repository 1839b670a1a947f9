// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A real sched_ext scheduler, and schedulers that do not behave.
#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::SizeIs;

TEST(SchedulerTest, ScxSimpleAttachesAndIsJudged) {
  SubmitRun run =
      Submit({Program("first_light"), "--preset", "tiny-2llc", "--filter",
              "*steady_two_cgroups*", "--scheduler", SchedulerPath()});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(1));
  EXPECT_EQ(run.results[0].outcome, "PASS") << run.results[0].reason;
  bool attached = false;
  for (const auto& phase : run.results[0].file["phases"]) {
    attached = attached || phase.value("phase", "") == "SCHEDULER_ATTACHED";
  }
  EXPECT_TRUE(attached) << run.results[0].file.dump(1);
}

TEST(SchedulerTest, ProgramThatIsNoSchedulerIsFailNotMiss) {
  // A suite that prints its help and exits: a scheduler that dies at start.
  SubmitRun run =
      Submit({Program("topology"), "--filter", "empty", "--preset", "tiny-1llc",
              "--scheduler", Program("topology"), "--scheduler-arg=--help"});
  EXPECT_EQ(run.exit.code, 1) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(1));
  EXPECT_EQ(run.results[0].outcome, "FAIL") << run.results[0].reason;
  EXPECT_THAT(
      run.results[0].finding_kinds,
      AnyOf(Contains("SCHEDULER_DIED"), Contains("SCHEDULER_NOT_ATTACHED")));
}

}  // namespace
}  // namespace ktstr::e2e
