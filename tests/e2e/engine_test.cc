// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The scenario engine on a real kernel: tests/guest/engine.cc.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;

TEST(EngineTest, CgroupsAndCpusAreAsTheTestSays) {
  SubmitRun run =
      Submit({Program("engine"), "--filter", "ktstr/cgroups_and_cpus"});
  ASSERT_THAT(run.results, SizeIs(1)) << run.out << run.err;
  EXPECT_EQ(run.results[0].outcome, "PASS")
      << run.results[0].reason << run.results[0].finding_text;
  const auto& file = run.results[0].file;
  ASSERT_EQ(file["measurements"].size(), 1u);
  EXPECT_EQ(file["measurements"][0]["name"], "kills");
  EXPECT_EQ(file["measurements"][0]["value"], 5);
  // Of the shares, the first scenario: one step, with what was done in it.
  EXPECT_GT(file["stimulus_events"][0]["iteration_rate"], 0);
  EXPECT_EQ(file["stimulus_events"][2]["actions"],
            nlohmann::json::array({"freeze"}));
}

TEST(EngineTest, ATestDetachesAndAttachesItsScheduler) {
  SubmitRun run = Submit({Program("engine"), "--filter", "ktstr/restarts",
                          "--scheduler", SchedulerPath()});
  ASSERT_THAT(run.results, SizeIs(1)) << run.out << run.err;
  const VariantResult& result = run.results[0];
  EXPECT_EQ(result.outcome, "PASS") << result.reason << result.finding_text;
  const auto& runs = result.file["scheduler_runs"];
  ASSERT_EQ(runs.size(), 3u) << result.file.dump(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(runs[i]["exit"]["kind"], "UNREGISTERED_BY_USER");
    EXPECT_EQ(runs[i]["ended_by_test"], i < 2);
  }
  EXPECT_EQ(runs[2]["args"][0], "-v");
}

}  // namespace
}  // namespace ktstr::e2e
