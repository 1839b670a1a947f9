// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/kernel_account.h"

#include <functional>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kMs = 1'000'000;

constexpr char kSched[] =
    "ktstr-worker (42, #threads: 1)\n"
    "-------------------------------------------------------------------\n"
    "se.exec_start                                :         12345.678901\n"
    "se.sum_exec_runtime                          :          1500.250000\n"
    "se.nr_migrations                             :                   17\n"
    "nr_switches                                  :                  400\n"
    "nr_voluntary_switches                        :                  250\n"
    "nr_involuntary_switches                      :                  150\n";

TEST(KernelAccountTest, BothFilesAreRead) {
  ASSERT_OK_AND_ASSIGN(KernelAccount account,
                       ParseKernelAccount("1500250000 7000 400\n", kSched));
  EXPECT_EQ(account.cpu_ns, 1500250000u);
  EXPECT_EQ(account.run_delay_ns, 7000u);
  EXPECT_EQ(account.run_count, 400u);
  EXPECT_EQ(account.exec_ns, 1500250000u);
  EXPECT_EQ(account.migrations, 17u);
  EXPECT_EQ(account.voluntary_switches, 250u);
}

TEST(KernelAccountTest, WhatIsMissingIsNamed) {
  EXPECT_THAT(ParseKernelAccount("1 2 3", "nr_switches : 4\n").status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no number se.sum_exec_runtime")));
  EXPECT_THAT(ParseKernelAccount("1 2", kSched).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no three numbers")));
}

// Three seconds, half of them on the CPU, and a report that says the same.
Observation Seen() {
  return {.after = {.cpu_ns = 1500 * kMs,
                    .run_delay_ns = 1480 * kMs,
                    .run_count = 1000,
                    .exec_ns = 1500 * kMs,
                    .migrations = 100,
                    .voluntary_switches = 400},
          .observed_ns = 3000 * kMs,
          .collected_ns = 50 * kMs};
}

WorkerReport Agreeing() {
  WorkerReport report;
  report.wall_time_ns = 2990 * kMs;
  report.cpu_time_ns = 1495 * kMs;
  report.schedstat_run_delay_ns = 1475 * kMs;
  report.schedstat_run_count = 990;
  report.migration_count = 80;
  report.wake_sample_total = 390;
  return report;
}

TEST(DisagreementsTest, ThereAreNoneBetweenEqualAccounts) {
  for (const WorkType& type :
       {WorkType::cpu_spin(), WorkType::bursty(), WorkType::pipe_io(),
        WorkType::affinity_churn(), WorkType::fan_out_compute()}) {
    EXPECT_THAT(Disagreements(type, Agreeing(), Seen()), IsEmpty())
        << type.name();
  }
}

TEST(DisagreementsTest, AWaitUnderWayIsCountedWhenItIsOver) {
  WorkerReport report = Agreeing();
  report.schedstat_run_delay_ns += 400 * kMs;
  Observation seen = Seen();
  EXPECT_THAT(Disagreements(WorkType::mixed(), report, seen),
              Contains(HasSubstr("run delay")));
  seen.pending_ns = 350 * kMs;
  EXPECT_THAT(Disagreements(WorkType::mixed(), report, seen), IsEmpty());
  report.schedstat_run_delay_ns -= 900 * kMs;
  EXPECT_THAT(Disagreements(WorkType::mixed(), report, seen),
              Contains(HasSubstr("run delay")));
  seen.pending_before_ns = 450 * kMs;
  EXPECT_THAT(Disagreements(WorkType::mixed(), report, seen), IsEmpty());
}

struct WrongCase {
  const char* sentence;
  WorkType type;
  std::function<void(WorkerReport&)> change;
};

TEST(DisagreementsTest, EachNumberIsCompared) {
  const WrongCase cases[] = {
      {"wall time", WorkType::mixed(),
       [](WorkerReport& r) { r.wall_time_ns = 1300 * kMs; }},
      {"CPU time by schedstat", WorkType::mixed(),
       [](WorkerReport& r) { r.cpu_time_ns = 1300 * kMs; }},
      {"CPU time by sum_exec_runtime", WorkType::mixed(),
       [](WorkerReport& r) { r.cpu_time_ns = 1700 * kMs; }},
      {"run delay", WorkType::mixed(),
       [](WorkerReport& r) { r.schedstat_run_delay_ns = 1000 * kMs; }},
      {"the number of runs", WorkType::mixed(),
       [](WorkerReport& r) { r.schedstat_run_count = 2000; }},
      {"the number of migrations", WorkType::mixed(),
       [](WorkerReport& r) { r.migration_count = 200; }},
      {"the number of migrations", WorkType::affinity_churn(),
       [](WorkerReport& r) { r.migration_count = 10; }},
      {"the number of wake samples", WorkType::bursty(),
       [](WorkerReport& r) { r.wake_sample_total = 600; }},
      {"the number of wake samples", WorkType::pipe_io(),
       [](WorkerReport& r) { r.wake_sample_total = 200; }},
  };
  for (const WrongCase& c : cases) {
    WorkerReport report = Agreeing();
    c.change(report);
    EXPECT_THAT(Disagreements(c.type, report, Seen()),
                Contains(HasSubstr(c.sentence)))
        << c.type.name();
  }
}

}  // namespace
}  // namespace ktstr
