// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the fleet makes of a scheduler that behaves, and of one that misbehaves
// in each way that ours can (bpf/). One submission; each test below looks at
// the variants of one test of tests/guest/fixture.cc.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fixture_expectations.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Made when first asked for.
const SubmitRun& TheRun() {
  static const SubmitRun& run = *new SubmitRun(Submit(FixtureArgs()));
  return run;
}

class FixtureTest : public ::testing::TestWithParam<FixtureExpectation> {};

TEST_P(FixtureTest, HasTheOutcomeItMustHave) {
  std::vector<VariantResult> results;
  for (const VariantResult& result : TheRun().results) {
    if (result.test == GetParam().test) results.push_back(result);
  }
  ASSERT_THAT(results, SizeIs(GetParam().variants))
      << TheRun().out << TheRun().err;
  for (const VariantResult& result : results) {
    ExpectAsFixture(GetParam(), result);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FixtureTest,
                         ::testing::ValuesIn(FixtureExpectations()),
                         [](const auto& info) { return info.param.test; });

// The host shortens 8 s to 1 s. The watchdog's first look is after 4 s, and the
// 8 s would have been over at the third.
TEST(WatchdogFixtureTest, ShorterTimeOutFindsAStallSooner) {
  VariantResult result = TheRun().Of("stalls_one_soon");
  const auto& watchdog = result.file["watchdog"];
  EXPECT_EQ(watchdog["had_effect"], true) << watchdog;
  EXPECT_EQ(watchdog["jiffies_before"].get<int>(),
            8 * watchdog["jiffies_written"].get<int>());
  EXPECT_EQ(watchdog["jiffies_read"], watchdog["jiffies_written"]);
  const auto& task = result.file["scheduler_exit"]["stalled_task"];
  ASSERT_TRUE(task.is_object()) << result.file["scheduler_exit"];
  EXPECT_LT(task["waited_ms"].get<double>(), 6000) << task;
}

TEST(WatchdogFixtureTest, TimeOutWithoutEffectIsNoted) {
  VariantResult result = TheRun().Of("watched_in_vain");
  EXPECT_THAT(result.finding_kinds, ElementsAre("NOT_EVALUATED"));
  EXPECT_THAT(result.finding_text, HasSubstr("had no effect"));
  EXPECT_EQ(result.file["watchdog"]["had_effect"], false);
}

// What the kernel's verifier says of a program it refuses is long, and says the
// same again and again.
TEST(LoadFixtureTest, LogOfARefusalIsShownWithoutWhatRepeats) {
  EXPECT_THAT(TheRun().out + TheRun().err,
              HasSubstr("invalid mem access 'map_value_or_null'"));
  EXPECT_THAT(TheRun().out + TheRun().err,
              HasSubstr("left out; the last time: ---"));
}

}  // namespace
}  // namespace ktstr::e2e
