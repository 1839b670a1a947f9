// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/evaluate.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/judging_clock.h"

namespace ktstr::internal {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint64_t kMs = 1'000'000;

// A worker that ran `on_ms` of `wall_ms`.
WorkerReport Worker(uint64_t wall_ms, uint64_t on_ms) {
  WorkerReport report;
  report.pid = 77;
  report.completed = true;
  report.work_units = 1000;
  report.iterations = 100;
  report.wall_time_ns = wall_ms * kMs;
  report.cpu_time_ns = on_ms * kMs;
  report.off_cpu_ns = report.wall_time_ns - report.cpu_time_ns;
  report.residences = {{.epoch = 0, .cpu = 1}};
  return report;
}

struct Judged {
  Verdict verdict;
  Evaluated evaluated;

  std::vector<FindingKind> kinds() const {
    std::vector<FindingKind> kinds;
    for (const Finding& finding : verdict.findings) {
      kinds.push_back(finding.kind);
    }
    return kinds;
  }
};

Judged Evaluate(GroupEvidence group, Checks checks = Checks::Defaults(),
                JudgingProfile profile = JudgingProfile::Strict()) {
  Judged judged;
  group.cgroup = "cg_0";
  judged.verdict = EvaluateGroup(group, checks, profile, judged.evaluated);
  return judged;
}

Judged Evaluate(std::vector<WorkerReport> reports,
                Checks checks = Checks::Defaults(),
                JudgingProfile profile = JudgingProfile::Strict()) {
  return Evaluate(GroupEvidence{.reports = std::move(reports)}, checks,
                  profile);
}

TEST(EvaluateTest, NoReportsPassWithoutStats) {
  Judged judged = Evaluate(std::vector<WorkerReport>());
  EXPECT_TRUE(judged.verdict.passed);
  EXPECT_TRUE(judged.verdict.groups.empty());
}

TEST(EvaluateTest, StarvedNamesWorkerAndCgroup) {
  WorkerReport starved = Worker(1500, 0);
  starved.off_cpu_ns = 0;
  starved.work_units = 0;
  Judged judged = Evaluate({starved});
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kStarved));
  EXPECT_EQ(judged.verdict.findings[0].message,
            "worker 77 did 0 work units in 1500 ms");
  EXPECT_EQ(judged.verdict.findings[0].cgroup, "cg_0");
}

TEST(EvaluateTest, AMissingReportIsStarvedWithItsCause) {
  WorkerReport missing;
  missing.pid = 5;
  missing.exit = {WorkerExit::Kind::kSignaled, 11};
  Judged judged = Evaluate({missing});
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kStarved));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("killed by signal 11"));
}

TEST(EvaluateTest, SpreadFailsOnlyAboveTheLimit) {
  // Off-CPU 10 % and 25 %: exactly 15 points.
  Judged equal = Evaluate({Worker(1000, 900), Worker(1000, 750)});
  EXPECT_TRUE(equal.verdict.passed);
  EXPECT_DOUBLE_EQ(*equal.verdict.groups[0].spread_pct, 15);
  Judged above = Evaluate({Worker(1000, 900), Worker(1000, 740)});
  EXPECT_THAT(above.kinds(), ElementsAre(FindingKind::kUnfair));
  EXPECT_THAT(above.verdict.findings[0].message,
              HasSubstr("spreads by 16.0 points (10.0% to 26.0%), limit 15.0 "
                        "(default)"));
}

TEST(EvaluateTest, OneWorkerHasNoSpread) {
  Judged judged = Evaluate({Worker(1000, 10)});
  EXPECT_TRUE(judged.verdict.passed);
  EXPECT_FALSE(judged.evaluated.spread);
}

TEST(EvaluateTest, GapFailsOnlyAboveTheLimit) {
  WorkerReport worker = Worker(5000, 5000);
  worker.max_gap_ns = 2000 * kMs;
  worker.max_gap_cpu = 3;
  worker.max_gap_at_ns = 2100 * kMs;
  EXPECT_TRUE(Evaluate({worker}).verdict.passed);
  worker.max_gap_ns = 2001 * kMs;
  Judged judged = Evaluate({worker});
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kStuck));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("2001 ms on CPU 3, until 2100 ms after its start, "
                        "limit 2000 ms (default)"));
}

TEST(EvaluateTest, ALimitSetByTheTestReplacesTheDefault) {
  WorkerReport worker = Worker(5000, 5000);
  worker.max_gap_ns = 600 * kMs;
  Judged judged =
      Evaluate({worker}, Checks::Defaults().With({.max_gap_ms = 500}));
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kStuck));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("limit 500 ms (set by the test)"));
}

TEST(EvaluateTest, BundleOffLeavesStats) {
  WorkerReport worker = Worker(5000, 5000);
  worker.max_gap_ns = 9000 * kMs;
  worker.work_units = 0;
  Judged judged = Evaluate({worker}, {.not_starved = false});
  EXPECT_TRUE(judged.verdict.passed);
  ASSERT_EQ(judged.verdict.groups.size(), 1u);
  EXPECT_DOUBLE_EQ(*judged.verdict.groups[0].max_gap_ms, 9000);
}

TEST(EvaluateTest, RelaxedLimitsApplyOnlyWhenOvercommitted) {
  WorkerReport worker = Worker(5000, 5000);
  worker.max_gap_ns = 2500 * kMs;
  EXPECT_FALSE(Evaluate({worker}).verdict.passed);
  EXPECT_TRUE(
      Evaluate({worker}, Checks::Defaults(), JudgingProfile::Overcommitted(4))
          .verdict.passed);
  worker.max_gap_ns = 3001 * kMs;
  Judged judged =
      Evaluate({worker}, Checks::Defaults(), JudgingProfile::Overcommitted(4));
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kStuck));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("overcommitted host: time stolen by the host"));
}

TEST(EvaluateTest, StolenTimeIsSubtractedOnlyWhenOvercommitted) {
  // 40 % off the CPU: 10 in the run queue, the rest taken by the host.
  WorkerReport robbed = Worker(1000, 600);
  robbed.schedstat_run_delay_ns = 100 * kMs;
  robbed.stolen_ns = 300 * kMs;
  EXPECT_EQ(JudgedOffCpuNs(robbed, JudgingProfile::Strict()), 400 * kMs);
  // 300 unexplained and stolen, and 30 % of the queue time behind stolen tasks.
  EXPECT_EQ(JudgedOffCpuNs(robbed, JudgingProfile::Overcommitted(4)), 70 * kMs);
}

TEST(EvaluateTest, StolenTimeNeverExceedsWhatIsUnexplained) {
  WorkerReport blocked = Worker(1000, 600);
  blocked.blocked_ns = 400 * kMs;
  blocked.stolen_ns = 1000 * kMs;
  EXPECT_EQ(JudgedOffCpuNs(blocked, JudgingProfile::Overcommitted(4)),
            400 * kMs);
}

TEST(EvaluateTest, BusyHostDoesNotMakeDifferencesLookSmall) {
  // The host took 80 % of three seconds. Of what it left, one worker had all
  // and the other, always queued, nothing: 0 and 100 %.
  WorkerReport favoured = Worker(3000, 600);
  favoured.stolen_ns = 2400 * kMs;
  WorkerReport starved = Worker(3000, 0);
  starved.schedstat_run_delay_ns = 3000 * kMs;
  starved.stolen_ns = 2400 * kMs;
  const JudgingProfile profile = JudgingProfile::Overcommitted(4);
  EXPECT_EQ(JudgedOffCpuPct(favoured, profile), 0);
  EXPECT_EQ(JudgedOffCpuPct(starved, profile), 100);
  Judged judged = Evaluate({favoured, starved}, Checks::Defaults(), profile);
  EXPECT_THAT(judged.kinds(), Contains(FindingKind::kUnfair));

  // Two that share it: half of the time left, each.
  WorkerReport half = Worker(3000, 300);
  half.schedstat_run_delay_ns = 1500 * kMs;
  half.stolen_ns = 2400 * kMs;
  EXPECT_EQ(JudgedOffCpuPct(half, profile), 50);

  // Where nothing is subtracted, of the wall time.
  EXPECT_EQ(JudgedOffCpuPct(half, JudgingProfile::Strict()), 90);
}

TEST(EvaluateTest, FewSlicesOfWhatABusyHostLeftAreNoDifference) {
  const JudgingProfile profile = JudgingProfile::Overcommitted(4);
  // 200 ms left of one second: one worker had 160 of them, the other 60, which
  // are 20 and 70 %. Limit: 35 points and 60 of 200 ms, 65 in all.
  WorkerReport favoured = Worker(1000, 160);
  favoured.schedstat_run_delay_ns = 200 * kMs;
  favoured.stolen_ns = 800 * kMs;
  WorkerReport other = Worker(1000, 60);
  other.schedstat_run_delay_ns = 700 * kMs;
  other.stolen_ns = 800 * kMs;
  EXPECT_EQ(CountedNs(favoured, profile), 200 * kMs);
  EXPECT_EQ(CountedNs(other, profile), 200 * kMs);
  EXPECT_EQ(JudgedOffCpuPct(favoured, profile), 20);
  EXPECT_EQ(JudgedOffCpuPct(other, profile), 70);
  Judged judged = Evaluate({favoured, other}, Checks::Defaults(), profile);
  EXPECT_THAT(judged.kinds(), Not(Contains(FindingKind::kUnfair)));

  // One that had all of them, and one that had nothing: 100 points.
  favoured = Worker(1000, 200);
  favoured.stolen_ns = 800 * kMs;
  other = Worker(1000, 0);
  other.schedstat_run_delay_ns = 1000 * kMs;
  other.stolen_ns = 800 * kMs;
  judged = Evaluate({favoured, other}, Checks::Defaults(), profile);
  EXPECT_THAT(judged.kinds(), Contains(FindingKind::kUnfair));
  EXPECT_THAT(judged.verdict.findings.back().message,
              HasSubstr("and 60 ms of the 200 ms it left"));

  // Nothing left at all.
  other.stolen_ns = 1000 * kMs;
  EXPECT_EQ(CountedNs(other, profile), 0);
  EXPECT_EQ(JudgedOffCpuPct(other, profile), 0);
}

TEST(EvaluateTest, ALoadBalancerIsGivenTimeToComeBy) {
  const JudgingProfile profile = JudgingProfile::Overcommitted(4);
  auto worker = [](uint64_t left_ms, uint64_t cpu_ms, int cpu) {
    WorkerReport report = Worker(2000, cpu_ms);
    report.schedstat_run_delay_ns = (2000 - cpu_ms * 2000 / left_ms) * kMs;
    report.stolen_ns = (2000 - left_ms) * kMs;
    report.residences = {{.epoch = 0, .cpu = cpu}};
    return report;
  };
  // Of 500 ms, one worker has 450, alone on its CPU, and each of the others
  // fewer than 50: 87.6 points. Limit: 35 points and 60 + 64 * 4 ms of 500.
  const std::vector<WorkerReport> short_run = {worker(500, 450, 0),
                                               worker(500, 12, 1)};
  ASSERT_EQ(CountedNs(short_run[0], profile), 500 * kMs);
  ASSERT_NEAR(JudgedOffCpuPct(short_run[0], profile), 10, 0.1);
  ASSERT_NEAR(JudgedOffCpuPct(short_run[1], profile), 97.6, 0.1);
  Judged judged = Evaluate(short_run, Checks::Defaults(), profile);
  EXPECT_THAT(judged.kinds(), Not(Contains(FindingKind::kUnfair)));
  // On one CPU nobody has to be moved.
  judged =
      Evaluate({short_run[0], worker(500, 12, 0)}, Checks::Defaults(), profile);
  EXPECT_THAT(judged.kinds(), Contains(FindingKind::kUnfair));
  // In more time it would have come by: 35 points and 316 of 1900 ms.
  judged = Evaluate({worker(1900, 1880, 0), worker(1900, 90, 1)},
                    Checks::Defaults(), profile);
  EXPECT_THAT(judged.kinds(), Contains(FindingKind::kUnfair));
}

TEST(EvaluateTest, IsolationIsJudgedAgainstTheCpusetOfThatMoment) {
  GroupEvidence group;
  WorkerReport worker = Worker(1000, 1000);
  worker.residences = {{.epoch = 0, .cpu = 1}, {.epoch = 2, .cpu = 5}};
  group.reports = {worker};
  group.placements = {{0, std::vector<int>{0, 1}}, {2, std::vector<int>{4, 5}}};
  const Checks checks = Checks::Defaults().With({.isolation = true});
  EXPECT_TRUE(Evaluate(group, checks).verdict.passed);
  group.placements[0] = std::vector<int>{0};
  Judged judged = Evaluate(group, checks);
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kIsolation));
  EXPECT_EQ(judged.verdict.findings[0].message,
            "worker 77 ran on CPU 1 while its cpuset was 0");
}

TEST(EvaluateTest, IsolationIsOffUnlessAskedFor) {
  GroupEvidence group;
  group.reports = {Worker(1000, 1000)};
  group.placements = {{0, std::vector<int>{7}}};
  EXPECT_TRUE(Evaluate(group).verdict.passed);
}

TEST(EvaluateTest, UnconstrainedPlacementsDoNotCountAsJudged) {
  GroupEvidence group;
  group.reports = {Worker(1000, 1000)};
  group.placements = {{0, std::nullopt}};
  Judged judged = Evaluate(group, Checks::Defaults().With({.isolation = true}));
  EXPECT_TRUE(judged.verdict.passed);
  EXPECT_FALSE(judged.evaluated.isolation);
}

TEST(EvaluateTest, WorkRateZeroesFailTheFloorAndCountInTheVariation) {
  WorkerReport fast = Worker(1000, 1000);
  WorkerReport idle = Worker(1000, 0);
  idle.off_cpu_ns = 0;
  Checks checks{
      .not_starved = false, .max_throughput_cv = 0.9, .min_work_rate = 1000};
  Judged judged = Evaluate({fast, idle}, checks);
  EXPECT_THAT(judged.kinds(),
              ElementsAre(FindingKind::kBenchmark, FindingKind::kBenchmark));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("did 0 work units per CPU-second, minimum 1000"));
  EXPECT_THAT(judged.verdict.findings[1].message, HasSubstr("vary by 1.0000"));
}

TEST(EvaluateTest, IterationRateCountsWallTime) {
  WorkerReport worker = Worker(2000, 100);
  EXPECT_TRUE(Evaluate({worker}, {.min_iteration_rate = 50}).verdict.passed);
  Judged judged = Evaluate({worker}, {.min_iteration_rate = 50.1});
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kBenchmark));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("50.0 iterations a second, minimum 50.1"));
}

TEST(EvaluateTest, LatenciesArePooledOverTheGroup) {
  WorkerReport a = Worker(1000, 1000);
  WorkerReport b = Worker(1000, 1000);
  a.resume_latencies_ns = {100, 200};
  b.resume_latencies_ns = {9000};
  a.wake_sample_total = 2;
  b.wake_sample_total = 1;
  Judged judged = Evaluate(
      {a, b}, {.max_p99_wake_latency_ns = 8999, .max_wake_latency_cv = 0.1});
  EXPECT_THAT(judged.kinds(),
              ElementsAre(FindingKind::kBenchmark, FindingKind::kBenchmark));
  EXPECT_THAT(judged.verdict.findings[0].message,
              HasSubstr("99th percentile of 3 wake latencies is 9000 ns"));
  EXPECT_DOUBLE_EQ(*judged.verdict.groups[0].p99_wake_latency_us, 9);
  EXPECT_DOUBLE_EQ(*judged.verdict.groups[0].median_wake_latency_us, 0.2);
}

TEST(EvaluateTest, MigrationRatioHasFourDecimals) {
  WorkerReport worker = Worker(1000, 1000);
  worker.migration_count = 3;
  Judged judged = Evaluate({worker}, {.max_migration_ratio = 0.02});
  EXPECT_THAT(judged.kinds(), ElementsAre(FindingKind::kMigration));
  EXPECT_EQ(judged.verdict.findings[0].message,
            "3 migrations in 100 iterations are 0.0300 each, maximum 0.0200");
}

TEST(EvaluateTest, AWorkerThatCouldNotDoAsDeclaredBreaksTheTest) {
  WorkerReport worker = Worker(1000, 1000);
  worker.setup_error = "policy fifo(1): Operation not permitted";
  EXPECT_THAT(Evaluate({worker}).kinds(),
              ElementsAre(FindingKind::kTestBodyError));
}

TEST(EvaluateTest, StatsCarryWhatWasMeasured) {
  WorkerReport a = Worker(1000, 900);
  WorkerReport b = Worker(1000, 800);
  a.has_schedstat = b.has_schedstat = true;
  a.schedstat_run_delay_ns = 1000;
  b.schedstat_run_delay_ns = 3000;
  b.max_gap_ns = 5 * kMs;
  b.max_gap_cpu = 2;
  b.residences = {{.epoch = 0, .cpu = 2}};
  GroupStats stats = Evaluate({a, b}).verdict.groups[0];
  EXPECT_EQ(stats.workers, 2);
  EXPECT_EQ(stats.cpus, 2);
  EXPECT_DOUBLE_EQ(*stats.avg_off_cpu_pct, 15);
  EXPECT_DOUBLE_EQ(*stats.max_gap_ms, 5);
  EXPECT_EQ(stats.max_gap_cpu, 2);
  EXPECT_DOUBLE_EQ(*stats.mean_run_delay_us, 2);
  EXPECT_DOUBLE_EQ(*stats.worst_run_delay_us, 3);
  EXPECT_FALSE(stats.p99_wake_latency_us.has_value());
  EXPECT_EQ(stats.iterations, 200);
}

TEST(NotEvaluatedTest, EverySetThresholdWithoutEvidenceIsNamed) {
  Checks checks{.isolation = true,
                .max_gap_ms = 1,
                .max_spread_pct = 1,
                .max_throughput_cv = 1,
                .min_work_rate = 1,
                .max_p99_wake_latency_ns = 1,
                .max_wake_latency_cv = 1,
                .min_iteration_rate = 1,
                .max_migration_ratio = 1,
                .min_page_locality = 1,
                .max_cross_node_migration_ratio = 1,
                .max_slow_tier_ratio = 1};
  std::vector<Finding> findings = NotEvaluated(checks, Evaluated{});
  EXPECT_EQ(findings.size(), 12u);
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.kind, FindingKind::kNotEvaluated);
  }
  checks.tolerate_not_evaluated = true;
  EXPECT_THAT(NotEvaluated(checks, Evaluated{}), IsEmpty());
}

TEST(NotEvaluatedTest, OneGroupWithEvidenceIsEnough) {
  Evaluated all;
  Evaluated one;
  one.p99_wake_latency = true;
  all.Merge(one);
  EXPECT_THAT(NotEvaluated({.max_p99_wake_latency_ns = 5}, all), IsEmpty());
  EXPECT_THAT(NotEvaluated({}, Evaluated{}), IsEmpty());
}

}  // namespace
}  // namespace ktstr::internal
