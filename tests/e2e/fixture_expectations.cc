// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/e2e/fixture_expectations.h"

#include <ostream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::e2e {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kStalled[] = "stalled: .*\\[[0-9]+\\] did not run for [0-9.]+ s";

// Whom it moves first is chance: a worker, or somebody who may not be moved at
// that moment.
constexpr char kForeignCpu[] =
    "runtime error .*(CPU [0-9]+ not allowed for ktstr-worker|cannot move "
    "migration disabled )";

const FixtureExpectation kExpectations[] = {
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
    {"ignores_cpuset", "FAIL", "SCHEDULER_EJECTED", "ERROR", kForeignCpu,
     kForeignCpu},
    {"stalls_one_soon", "FAIL", "SCHEDULER_STALLED", "ERROR_STALL", kStalled,
     "ended the scheduler: runnable task stall"},
    {"watched_in_vain", "PASS", "NOT_EVALUATED", "UNREGISTERED_BY_USER", "",
     "detached"},
    // Its process ends, by itself and killed by the test.
    {"exits", "FAIL", "SCHEDULER_DIED", "UNREGISTERED_BY_USER",
     "ended before the test was over \\(exit code 0\\)", "detached"},
    {"kills_scheduler", "FAIL", "SCHEDULER_DIED", "UNREGISTERED_BY_USER",
     "ended before the test was over \\(killed by signal 9", "attached"},
    // Its process is stopped: what schedules is in the kernel, and goes on.
    {"stops_scheduler", "PASS", "", "UNREGISTERED_BY_USER", "", "detached"},
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

// What must come with the kernel's word for why a scheduler is gone.
void ExpectEvidence(const VariantResult& result, const std::string& exit) {
  if (!absl::StartsWith(exit, "ERROR")) {
    EXPECT_EQ(result.dump, "");
    return;
  }
  EXPECT_THAT(result.dump, ContainsRegex("triggered exit kind [0-9]+:"));
  EXPECT_THAT(result.dump, ContainsRegex("CPU states"));
  const auto& told = result.file["scheduler_exit"];
  EXPECT_THAT(told["backtrace"], Not(SizeIs(0)));
  EXPECT_NE(told["message"], nullptr);
  if (exit != "ERROR_STALL") return;
  // The stalled task: by its name in the result, the finding and the dump.
  ASSERT_TRUE(told["stalled_task"].is_object()) << told.dump(1);
  const std::string task =
      absl::StrCat(told["stalled_task"]["comm"].get<std::string>(), "[",
                   told["stalled_task"]["pid"].get<int>(), "]");
  EXPECT_THAT(result.finding_text, HasSubstr(task));
  EXPECT_THAT(result.dump, HasSubstr(task));
}

}  // namespace

void PrintTo(const FixtureExpectation& expected, std::ostream* out) {
  *out << expected.test;
}

const std::vector<FixtureExpectation>& FixtureExpectations() {
  static const auto& expectations = *new std::vector<FixtureExpectation>(
      std::begin(kExpectations), std::end(kExpectations));
  return expectations;
}

std::vector<std::string> FixtureArgs() {
  return {Program("fixture"), "--preset",    "tiny-1llc",           "--preset",
          "tiny-2llc",        "--scheduler", Program("scx_fixture")};
}

void ExpectAsFixture(const FixtureExpectation& expected,
                     const VariantResult& result) {
  SCOPED_TRACE(result.variant);
  EXPECT_EQ(result.outcome, expected.outcome) << result.reason << "\n"
                                              << result.file.dump(1) << "\n"
                                              << result.console;
  EXPECT_THAT(result.reason, ContainsRegex(expected.reason));
  EXPECT_THAT(result.scheduler_log, ContainsRegex(expected.log));
  EXPECT_EQ(result.scheduler_exit, expected.exit);
  ExpectEvidence(result, expected.exit);
  if (expected.finding.empty()) {
    EXPECT_THAT(result.finding_kinds, SizeIs(0)) << result.finding_text;
  } else {
    EXPECT_THAT(result.finding_kinds, Contains(MatchesRegex(expected.finding)));
  }
}

}  // namespace ktstr::e2e
