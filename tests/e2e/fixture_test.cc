// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the fleet makes of a scheduler that behaves, and of one that misbehaves
// in each way that ours can (bpf/). One submission; each test below looks at
// the variants of one test of tests/guest/fixture.cc.
#include <ostream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

struct Expectation {
  std::string test;
  std::string outcome;
  // Regular expressions. The kind of one finding; empty: there is none at all.
  std::string finding;
  // Why the scheduler is gone, as the kernel says; empty: it says nothing.
  std::string exit;
  // Why; and what the scheduler said, which names the task or the rule where
  // the kernel does.
  std::string reason;
  std::string log;
  size_t variants = 1;
};

// For messages of the test framework.
void PrintTo(const Expectation& expected, std::ostream* out) {
  *out << expected.test;
}

// Where no task runs, the kernel's watchdog may be the first to be missed.
constexpr char kStalled[] =
    "stalled: (.*\\[[0-9]+\\] did not run for [0-9.]+ s|watchdog failed to "
    "check in for [0-9.]+s)";

const Expectation kExpectations[] = {
    {"behaves", "PASS", "", "UNREGISTERED_BY_USER", "", "detached", 2},
    {"behaves_by_llc", "PASS", "", "UNREGISTERED_BY_USER", "", "detached", 2},
    {"is_fair", "PASS", "", "UNREGISTERED_BY_USER", "", "detached"},
    // The kernel ends it, and says why.
    {"stalls_one", "FAIL", "SCHEDULER_STALLED", "ERROR_STALL",
     "stalled: ktstr-worker[^ ]*\\[[0-9]+\\] did not run for [0-9.]+ s",
     "ended the scheduler: runnable task stall \\(ktstr-worker.* failed to "
     "run"},
    {"stalls_all", "FAIL", "SCHEDULER_STALLED", "ERROR_STALL", kStalled,
     "ended the scheduler: runnable task stall"},
    {"drops", "FAIL", "SCHEDULER_STALLED", "ERROR_STALL", kStalled,
     "ended the scheduler: runnable task stall"},
    {"crashes", "FAIL", "SCHEDULER_EJECTED", "ERROR_BPF",
     "scx_bpf_error \\(fixture crashes as told",
     "ended the scheduler: scx_bpf_error \\(fixture crashes as told"},
    {"ignores_affinity", "FAIL", "SCHEDULER_EJECTED", "ERROR",
     "runtime error .*CPU [0-9]+ not allowed for ktstr-worker",
     "runtime error .*CPU [0-9]+ not allowed for ktstr-worker"},
    {"ignores_cpuset", "FAIL", "SCHEDULER_EJECTED", "ERROR",
     "runtime error .*CPU [0-9]+ not allowed for ktstr-worker",
     "runtime error .*CPU [0-9]+ not allowed for ktstr-worker"},
    // It ends by itself.
    {"exits", "FAIL", "SCHEDULER_DIED", "UNREGISTERED_BY_USER",
     "ended before the test was over \\(exit code 0\\)", "detached"},
    // The workers find out.
    {"uses_one_cpu", "FAIL", "STUCK", "UNREGISTERED_BY_USER", "worker",
     "detached"},
    {"is_unfair", "FAIL", "UNFAIR|STARVED|STUCK", "UNREGISTERED_BY_USER",
     "worker", "detached"},
    // It never starts; the verifier's log is kept.
    {"is_rejected", "FAIL", "SCHEDULER_DIED", "",
     "before it attached \\(exit code 1\\)",
     "invalid mem access 'map_value_or_null'"},
    {"loops_in_verifier", "FAIL", "SCHEDULER_DIED", "",
     "before it attached \\(exit code 1\\)",
     "sequence of [0-9]+ jumps is too complex"},
};

class FixtureTest : public ::testing::TestWithParam<Expectation> {
 protected:
  static void SetUpTestSuite() {
    run_ = new SubmitRun(
        Submit({Program("fixture"), "--preset", "tiny-1llc", "--preset",
                "tiny-2llc", "--scheduler", Program("scx_fixture")}));
  }
  static void TearDownTestSuite() {
    delete run_;
    run_ = nullptr;
  }
  static SubmitRun* run_;
};

SubmitRun* FixtureTest::run_ = nullptr;

TEST_P(FixtureTest, HasTheOutcomeItMustHave) {
  const Expectation& expected = GetParam();
  std::vector<VariantResult> results;
  for (const VariantResult& result : run_->results) {
    if (result.test == expected.test) results.push_back(result);
  }
  ASSERT_THAT(results, SizeIs(expected.variants)) << run_->out << run_->err;
  for (const VariantResult& result : results) {
    SCOPED_TRACE(result.variant);
    EXPECT_EQ(result.outcome, expected.outcome) << result.reason;
    EXPECT_THAT(result.reason, ContainsRegex(expected.reason));
    EXPECT_THAT(result.scheduler_log, ContainsRegex(expected.log));
    EXPECT_EQ(result.scheduler_exit, expected.exit) << result.file.dump(1);
    if (expected.finding.empty()) {
      EXPECT_THAT(result.finding_kinds, SizeIs(0)) << result.finding_text;
    } else {
      EXPECT_THAT(result.finding_kinds,
                  Contains(MatchesRegex(expected.finding)));
    }
  }
}

VariantResult Only(const SubmitRun& run, const std::string& test) {
  for (const VariantResult& result : run.results) {
    if (result.test == test) return result;
  }
  ADD_FAILURE() << "no result of " << test << run.out << run.err;
  return {};
}

// The host shortens 8 s to 1 s. The watchdog's first look is after 4 s, and the
// 8 s would have been over at the third.
TEST_F(FixtureTest, ShorterWatchdogTimeOutFindsAStallSooner) {
  VariantResult result = Only(*run_, "stalls_one_soon");
  EXPECT_EQ(result.outcome, "FAIL") << result.reason;
  const auto& watchdog = result.file["watchdog"];
  EXPECT_EQ(watchdog["had_effect"], true) << watchdog;
  EXPECT_EQ(watchdog["jiffies_before"].get<int>(),
            8 * watchdog["jiffies_written"].get<int>());
  EXPECT_EQ(watchdog["jiffies_read"], watchdog["jiffies_written"]);
  const auto& task = result.file["scheduler_exit"]["stalled_task"];
  ASSERT_TRUE(task.is_object()) << result.file["scheduler_exit"];
  EXPECT_LT(task["waited_ms"].get<double>(), 6000) << task;
}

TEST_F(FixtureTest, WatchdogTimeOutWithoutEffectIsNoted) {
  VariantResult result = Only(*run_, "watched_in_vain");
  EXPECT_EQ(result.outcome, "PASS") << result.reason;
  EXPECT_THAT(result.finding_kinds, ElementsAre("NOT_EVALUATED"));
  EXPECT_THAT(result.finding_text, HasSubstr("had no effect"));
  EXPECT_EQ(result.file["watchdog"]["had_effect"], false);
}

INSTANTIATE_TEST_SUITE_P(All, FixtureTest, ::testing::ValuesIn(kExpectations),
                         [](const auto& info) { return info.param.test; });

}  // namespace
}  // namespace ktstr::e2e
