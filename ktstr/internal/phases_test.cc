// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/phases.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMs = 1'000'000;

// "quiet": two workers for 2 s with 1000 iterations each. "busy": 4 s with
// 1500.
Phases TwoPhases() {
  Phases phases;
  WorkerSample worker{.iterations = 1000,
                      .work_units = 4000,
                      .cpu_ns = 1000 * kMs,
                      .run_delay_ns = 100 * kMs,
                      .wakes = {{10, 99}, {14, 1}}};
  phases.Add("quiet",
             {.cgroup = "a", .seconds = 2, .workers = {worker, worker}});
  worker.iterations = 1500;
  worker.cpu_ns = 2000 * kMs;
  worker.run_delay_ns = 800 * kMs;
  worker.wakes = {{14, 2}};
  phases.Add("busy",
             {.cgroup = "a", .seconds = 4, .workers = {worker, worker}});
  phases.Add("busy",
             {.cgroup = "b", .seconds = 4, .workers = {WorkerSample{}}});
  return phases;
}

TEST(PhasesTest, MetricsAreWhatTheirNamesSay) {
  const Phases phases = TwoPhases();
  const struct {
    const char* phase;
    Metric metric;
    std::optional<std::string> cgroup;
    std::optional<double> value;
  } kCases[] = {
      {"quiet", Metric::kIterationRate, std::nullopt, 500},
      {"quiet", Metric::kWorkRate, std::nullopt, 4000},
      {"quiet", Metric::kRunDelay, std::nullopt, 0.05},
      {"quiet", Metric::kWakeP99, std::nullopt, 10},
      {"busy", Metric::kIterationRate, "a", 375},
      // 3000 iterations of three workers in 4 s.
      {"busy", Metric::kIterationRate, std::nullopt, 250},
      {"busy", Metric::kWorkRate, "a", 2000},
      {"busy", Metric::kRunDelay, "a", 0.2},
      {"busy", Metric::kWakeP99, "a", 14},
      {"busy", Metric::kIterationRate, "b", 0},
      {"busy", Metric::kWorkRate, "b", std::nullopt},
      {"busy", Metric::kRunDelay, "b", std::nullopt},
      {"busy", Metric::kWakeP99, "b", std::nullopt},
      {"quiet", Metric::kIterationRate, "b", std::nullopt},
      {"never", Metric::kIterationRate, std::nullopt, std::nullopt},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(phases.Value(c.phase, c.metric, c.cgroup), c.value)
        << c.phase << " " << MetricName(c.metric) << " "
        << c.cgroup.value_or("all");
  }
}

TEST(PhasesTest, BoundsAreInclusive) {
  const Phases phases = TwoPhases();
  Relative rate = Relative{}
                      .metric(Metric::kIterationRate)
                      .cgroup("a")
                      .of("busy")
                      .against("quiet");
  EXPECT_FALSE(phases.Judge(Relative(rate).at_least(0.75)).has_value());
  EXPECT_FALSE(phases.Judge(Relative(rate).at_most(0.75)).has_value());
  std::optional<Finding> low = phases.Judge(Relative(rate).at_least(0.76));
  ASSERT_TRUE(low.has_value());
  EXPECT_EQ(low->kind, FindingKind::kBenchmark);
  EXPECT_EQ(low->cgroup, "a");
  EXPECT_EQ(low->message,
            "iteration rate of cgroup a in \"busy\" is 0.750 of that in "
            "\"quiet\" (375.0 a second against 500.0 a second), minimum 0.760");
  std::optional<Finding> high = phases.Judge(Relative(rate).at_most(0.74));
  ASSERT_TRUE(high.has_value());
  EXPECT_THAT(high->message, HasSubstr("maximum 0.740"));
}

TEST(PhasesTest, WhatCannotBeComparedSaysWhy) {
  const Phases phases = TwoPhases();
  const struct {
    Relative relative;
    const char* message;
  } kCases[] = {
      {Relative{}.of("busy").against("never"),
       "iteration rate of \"busy\" against \"never\": phase \"never\" did not "
       "happen"},
      {Relative{}.of("never").against("busy"), "\"never\" did not happen"},
      {Relative{}
           .metric(Metric::kWakeP99)
           .cgroup("b")
           .of("busy")
           .against("quiet"),
       "99th percentile of wake latencies of cgroup b of \"busy\" against "
       "\"quiet\": phase \"busy\" has no samples of it"},
      {Relative{}.cgroup("b").of("busy").against("busy"),
       "phase \"busy\" has 0 to compare with"},
  };
  for (const auto& c : kCases) {
    std::optional<Finding> finding =
        phases.Judge(Relative(c.relative).at_least(0));
    ASSERT_TRUE(finding.has_value()) << c.message;
    EXPECT_EQ(finding->kind, FindingKind::kNotEvaluated);
    EXPECT_THAT(finding->message, HasSubstr(c.message));
  }
}

TEST(PhasesTest, ComparisonsNeedPhasesAndABound) {
  EXPECT_THAT(Relative{}.of("a").at_least(1).Validate().message(),
              HasSubstr("needs of() and against()"));
  EXPECT_THAT(Relative{}.of("a").against("b").Validate().message(),
              HasSubstr("needs at_least() or at_most()"));
  EXPECT_THAT(Relative{}.of("a").against("b").at_most(-1).Validate().message(),
              HasSubstr("bound of -1"));
  EXPECT_TRUE(Relative{}.of("a").against("b").at_most(0).Validate().ok());
}

TEST(WorkerSampleTest, DifferencesAreFlooredAtZero) {
  const WorkerSample before{.iterations = 10,
                            .work_units = 20,
                            .cpu_ns = 30,
                            .wakes = {{1, 5}, {2, 5}}};
  const WorkerSample after{.pid = 3,
                           .iterations = 12,
                           .work_units = 19,
                           .cpu_ns = 31,
                           .run_delay_ns = 7,
                           .wakes = {{1, 5}, {2, 6}, {3, 1}}};
  const WorkerSample delta = after.Since(before);
  EXPECT_EQ(delta.pid, 3);
  EXPECT_EQ(delta.iterations, 2u);
  EXPECT_EQ(delta.work_units, 0u);
  EXPECT_EQ(delta.cpu_ns, 1u);
  EXPECT_EQ(delta.run_delay_ns, 7u);
  EXPECT_EQ(delta.wakes, (std::map<uint32_t, uint64_t>{{2, 1}, {3, 1}}));
}

TEST(JudgeShareTest, OnlyWhatCanBeSaidOfAPhaseIsJudged) {
  WorkerSample fast{.pid = 7,
                    .iterations = 100,
                    .work_units = 300,
                    .cpu_ns = 1000 * kMs,
                    .wakes = {{14, 3}}};
  WorkerSample slow = fast;
  slow.work_units = 100;
  const PhaseShare share{.cgroup = "a", .seconds = 2, .workers = {fast, slow}};
  const Checks checks{.not_starved = true,
                      .isolation = true,
                      .max_gap_ms = 0,
                      .max_throughput_cv = 0.49,
                      .min_work_rate = 101,
                      .max_p99_wake_latency_ns = 13,
                      .min_iteration_rate = 50.1};
  Evaluated evaluated;
  std::vector<Finding> findings =
      JudgeShare(share, checks, {}, "step 2 of 3", evaluated);
  // A floor of work, the variation, two floors of iterations, the percentile.
  ASSERT_THAT(findings, SizeIs(5));
  EXPECT_THAT(findings[0].message,
              HasSubstr("step 2 of 3: worker 7 did 100 work units"));
  EXPECT_THAT(findings[4].message,
              HasSubstr("99th percentile of 6 wake latencies is 14 ns"));
  EXPECT_TRUE(evaluated.work_rate);
  EXPECT_FALSE(evaluated.gap);
  EXPECT_FALSE(evaluated.isolation);
  EXPECT_THAT(JudgeShare(share, {}, {}, "", evaluated), IsEmpty());
}

}  // namespace
}  // namespace ktstr::internal
