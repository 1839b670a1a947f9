// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/thread_reports.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

WorkerReport Thread(uint64_t units) {
  WorkerReport report;
  report.pid = 9;
  report.completed = true;
  report.work_units = units;
  report.iterations = units / 2;
  report.cpu_time_ns = 10 * units;
  report.wall_time_ns = 1000;
  report.off_cpu_ns = 1000 - 10 * units;
  report.has_schedstat = true;
  report.schedstat_run_delay_ns = units;
  report.numa_pages = {{0, 40}};
  return report;
}

TEST(ThreadReportsTest, CountsAndTimesAreSums) {
  WorkerReport merged = MergeThreadReports({Thread(10), Thread(30)}, 1);
  EXPECT_EQ(merged.pid, 9);
  EXPECT_TRUE(merged.completed);
  EXPECT_EQ(merged.work_units, 40u);
  EXPECT_EQ(merged.iterations, 20u);
  EXPECT_EQ(merged.cpu_time_ns, 400u);
  EXPECT_EQ(merged.wall_time_ns, 2000u);
  EXPECT_EQ(merged.off_cpu_ns, 1600u);
  EXPECT_EQ(merged.schedstat_run_delay_ns, 40u);
  EXPECT_EQ(merged.numa_pages, (std::map<int, uint64_t>{{0, 40}}));
}

TEST(ThreadReportsTest, TheLongestGapKeepsItsPlaceAndTime) {
  WorkerReport first = Thread(1);
  first.max_gap_ns = 5;
  first.max_gap_cpu = 1;
  WorkerReport second = Thread(1);
  second.max_gap_ns = 7;
  second.max_gap_cpu = 3;
  second.max_gap_at_ns = 70;
  second.max_gap_stolen_ns = 2;
  WorkerReport merged = MergeThreadReports({first, second}, 1);
  EXPECT_EQ(merged.max_gap_ns, 7u);
  EXPECT_EQ(merged.max_gap_cpu, 3);
  EXPECT_EQ(merged.max_gap_at_ns, 70u);
  EXPECT_EQ(merged.max_gap_stolen_ns, 2u);
}

TEST(ThreadReportsTest, PlacesAreJoinedOnceEach) {
  WorkerReport first = Thread(1);
  first.residences = {{.epoch = 0, .cpu = 1}, {.epoch = 0, .cpu = 2}};
  first.migrations = {{.at_ns = 1, .from_cpu = 1, .to_cpu = 2}};
  WorkerReport second = Thread(1);
  second.residences = {{.epoch = 0, .cpu = 2}, {.epoch = 2, .cpu = 2}};
  second.migrations = {{.at_ns = 3, .from_cpu = 2, .to_cpu = 2}};
  second.setup_error = "policy fifo(1): no";
  WorkerReport merged = MergeThreadReports({first, second}, 1);
  EXPECT_THAT(merged.residences, SizeIs(3));
  EXPECT_THAT(merged.migrations, SizeIs(2));
  EXPECT_EQ(merged.setup_error, "policy fifo(1): no");
}

TEST(ThreadReportsTest, WholeSamplesAreKeptWhole) {
  WorkerReport first = Thread(1);
  first.resume_latencies_ns = {5, 6};
  first.wake_sample_total = 2;
  WorkerReport second = Thread(1);
  second.resume_latencies_ns = {7};
  second.wake_sample_total = 1;
  WorkerReport merged = MergeThreadReports({first, second}, 1);
  EXPECT_EQ(merged.wake_sample_total, 3u);
  EXPECT_THAT(merged.resume_latencies_ns, ElementsAre(5, 6, 7));
}

// 300,000 latencies of 1 ns beside 100,000 of 2 ns: three quarters are 1.
TEST(ThreadReportsTest, FullSamplesStandForAllThereWere) {
  WorkerReport often = Thread(1);
  often.resume_latencies_ns.assign(WorkerReport::kMaxLatencies, 1);
  often.wake_sample_total = 300000;
  WorkerReport seldom = Thread(1);
  seldom.resume_latencies_ns.assign(WorkerReport::kMaxLatencies, 2);
  seldom.wake_sample_total = 100000;
  WorkerReport merged = MergeThreadReports({often, seldom}, 1);
  EXPECT_EQ(merged.wake_sample_total, 400000u);
  const std::vector<uint64_t>& sample = merged.resume_latencies_ns;
  EXPECT_THAT(sample, SizeIs(WorkerReport::kMaxLatencies));
  EXPECT_EQ(std::count(sample.begin(), sample.end(), 1), 75000);
}

}  // namespace
}  // namespace ktstr::internal
