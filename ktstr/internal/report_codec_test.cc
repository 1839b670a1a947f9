// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/report_codec.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/seed.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::IsOk;
using ::testing::ElementsAre;
using ::testing::Not;

WorkerReport Sample() {
  WorkerReport report;
  report.pid = 4242;
  report.completed = true;
  report.work_units = uint64_t{1} << 63;
  report.iterations = 12;
  report.cpu_time_ns = 3;
  report.wall_time_ns = 4;
  report.off_cpu_ns = 1;
  report.blocked_ns = 5;
  report.stolen_ns = 6;
  report.migration_count = 7;
  report.migrations = {{.at_ns = 10, .from_cpu = 0, .to_cpu = 200}};
  report.residences = {{.epoch = 0, .cpu = 1}, {.epoch = 2, .cpu = 300}};
  report.max_gap_ns = 8;
  report.max_gap_cpu = -1;
  report.max_gap_at_ns = 9;
  report.max_gap_stolen_ns = 2;
  report.resume_latencies_ns = {500, 3, 70000};
  report.wake_sample_total = 99;
  report.has_schedstat = true;
  report.schedstat_cpu_ns = 11;
  report.schedstat_run_delay_ns = 12;
  report.schedstat_run_count = 13;
  report.is_messenger = true;
  report.numa_pages = {{0, 17}, {3, 1u << 20}};
  report.vmstat_numa_pages_migrated = 0;
  report.setup_error = "policy fifo(1): no";
  return report;
}

TEST(ReportCodecTest, EveryFieldSurvives) {
  WorkerReport sent = Sample();
  ASSERT_OK_AND_ASSIGN(WorkerReport got,
                       DecodeWorkerReport(EncodeWorkerReport(sent)));
  EXPECT_EQ(got.pid, 4242);
  EXPECT_TRUE(got.completed);
  EXPECT_EQ(got.work_units, sent.work_units);
  EXPECT_EQ(got.iterations, 12u);
  EXPECT_EQ(got.cpu_time_ns, 3u);
  EXPECT_EQ(got.wall_time_ns, 4u);
  EXPECT_EQ(got.off_cpu_ns, 1u);
  EXPECT_EQ(got.blocked_ns, 5u);
  EXPECT_EQ(got.stolen_ns, 6u);
  EXPECT_EQ(got.migration_count, 7u);
  ASSERT_EQ(got.migrations.size(), 1u);
  EXPECT_EQ(got.migrations[0].to_cpu, 200);
  EXPECT_EQ(got.residences, sent.residences);
  EXPECT_EQ(got.max_gap_ns, 8u);
  EXPECT_EQ(got.max_gap_cpu, -1);
  EXPECT_EQ(got.max_gap_at_ns, 9u);
  EXPECT_EQ(got.max_gap_stolen_ns, 2u);
  EXPECT_THAT(got.resume_latencies_ns, ElementsAre(3, 500, 70000));
  EXPECT_EQ(got.wake_sample_total, 99u);
  EXPECT_TRUE(got.has_schedstat);
  EXPECT_EQ(got.schedstat_cpu_ns, 11u);
  EXPECT_EQ(got.schedstat_run_delay_ns, 12u);
  EXPECT_EQ(got.schedstat_run_count, 13u);
  EXPECT_TRUE(got.is_messenger);
  EXPECT_EQ(got.numa_pages, sent.numa_pages);
  EXPECT_EQ(got.vmstat_numa_pages_migrated, 0u);
  EXPECT_EQ(got.setup_error, sent.setup_error);
}

TEST(ReportCodecTest, RefusesEveryPrefixAndTrailingBytes) {
  std::string bytes = EncodeWorkerReport(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(DecodeWorkerReport(absl::string_view(bytes).substr(0, size)),
                Not(IsOk()))
        << size;
  }
  EXPECT_THAT(DecodeWorkerReport(bytes + "x"), Not(IsOk()));
}

TEST(ReportCodecTest, SurvivesDamagedBytes) {
  const std::string bytes = EncodeWorkerReport(Sample());
  SeededStream random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = bytes;
    for (int i = 0; i < 3; ++i) {
      damaged[random.Below(damaged.size())] =
          static_cast<char>(random.Below(256));
    }
    absl::StatusOr<WorkerReport> report = DecodeWorkerReport(damaged);
    if (report.ok()) {
      EXPECT_LE(report->migrations.size(), damaged.size());
    }
  }
}

TEST(ReportCodecTest, AFullSampleStaysSmall) {
  WorkerReport report;
  SeededStream random(1);
  for (size_t i = 0; i < WorkerReport::kMaxLatencies; ++i) {
    report.resume_latencies_ns.push_back(random.Below(10'000'000));
  }
  EXPECT_LT(EncodeWorkerReport(report).size(), 300'000u);
}

}  // namespace
}  // namespace ktstr::internal
