// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/telemetry.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::ElementsAre;

constexpr uint64_t kMs = 1'000'000;

class FakeProbe : public WorkerProbe {
 public:
  uint64_t NowNs() override {
    const uint64_t read = now;
    if (after_clock) std::exchange(after_clock, nullptr)();
    return read;
  }
  uint64_t CpuTimeNs() override { return cpu_time; }
  int Cpu() override {
    if (before_cpu) std::exchange(before_cpu, nullptr)();
    return cpu;
  }
  std::optional<Schedstat> ReadSchedstat() override { return schedstat; }
  std::vector<uint64_t> ReadStealNs() override { return steal; }
  std::map<int, uint64_t> ReadNumaPages() override { return pages; }
  std::optional<uint64_t> ReadPagesMigrated() override { return migrated; }

  // Time passes on the CPU.
  void Run(uint64_t ns) {
    now += ns;
    cpu_time += ns;
  }

  uint64_t now = 1000;
  uint64_t cpu_time = 50;
  int cpu = 0;
  std::optional<Schedstat> schedstat;
  std::vector<uint64_t> steal;
  std::map<int, uint64_t> pages;
  std::optional<uint64_t> migrated;
  // What happens once, right after the clock and before the CPU are read.
  std::function<void()> after_clock;
  std::function<void()> before_cpu;
};

TEST(TelemetryTest, PagesAreThoseOfTheWorkNotOfItsEnd) {
  FakeProbe probe;
  probe.migrated = 100;
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  probe.pages = {{0, 5}, {1, 900}};
  telemetry.NotePages();
  probe.pages = {{0, 5}};
  probe.migrated = 130;
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.numa_pages, (std::map<int, uint64_t>{{0, 5}, {1, 900}}));
  EXPECT_EQ(report.vmstat_numa_pages_migrated, 30u);
}

TEST(TelemetryTest, AKernelWithoutNumaBalancingHasNoPagesMigrated) {
  FakeProbe probe;
  probe.pages = {{0, 5}};
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.numa_pages, (std::map<int, uint64_t>{{0, 5}}));
  EXPECT_EQ(report.vmstat_numa_pages_migrated, std::nullopt);
}

TEST(TelemetryTest, TimesAreDeltasFromBegin) {
  FakeProbe probe;
  probe.schedstat = Schedstat{100, 10, 1};
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  probe.Run(3 * kMs);
  telemetry.EndIteration(1024);
  probe.now += kMs;
  probe.schedstat = Schedstat{400, 25, 4};
  WorkerReport report = telemetry.Finish();
  EXPECT_TRUE(report.completed);
  EXPECT_EQ(report.wall_time_ns, 4 * kMs);
  EXPECT_EQ(report.cpu_time_ns, 3 * kMs);
  EXPECT_EQ(report.off_cpu_ns, kMs);
  EXPECT_EQ(report.work_units, 1024u);
  EXPECT_EQ(report.iterations, 1u);
  EXPECT_TRUE(report.has_schedstat);
  EXPECT_EQ(report.schedstat_run_delay_ns, 15u);
  EXPECT_EQ(report.schedstat_run_count, 3u);
}

TEST(TelemetryTest, LongestGapHasCpuAndOffset) {
  FakeProbe probe;
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  probe.Run(2 * kMs);
  telemetry.EndIteration(1);
  probe.cpu = 3;
  probe.Run(1 * kMs);
  telemetry.EndIteration(1);
  probe.now += 70 * kMs;
  telemetry.EndIteration(1);
  probe.Run(5 * kMs);
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.max_gap_ns, 70 * kMs);
  EXPECT_EQ(report.max_gap_cpu, 3);
  EXPECT_EQ(report.max_gap_at_ns, 73 * kMs);
}

// A worker that is starved until the very end has no later checkpoint.
TEST(TelemetryTest, TheTailUntilStopIsAGap) {
  FakeProbe probe;
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  probe.now += 900 * kMs;
  EXPECT_EQ(telemetry.Finish().max_gap_ns, 900 * kMs);
}

TEST(TelemetryTest, IntendedBlockingIsNoGap) {
  FakeProbe probe;
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  probe.now += 130 * kMs;
  telemetry.Blocked(100 * kMs);
  telemetry.EndIteration(1);
  probe.Run(kMs);
  telemetry.EndIteration(1);
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.max_gap_ns, 30 * kMs);
  EXPECT_EQ(report.blocked_ns, 100 * kMs);
}

TEST(TelemetryTest, FrozenTimeIsNoGapAndNoLatency) {
  FakeProbe probe;
  std::atomic<uint64_t> frozen{7 * kMs};  // before it began
  Telemetry telemetry({.probe = &probe, .frozen_ns = &frozen});
  telemetry.Begin();
  probe.now += 530 * kMs;
  frozen += 500 * kMs;
  telemetry.Woke(525 * kMs);
  telemetry.EndIteration(1);
  probe.now += 20 * kMs;
  telemetry.Woke(20 * kMs);
  telemetry.EndIteration(1);
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.max_gap_ns, 30 * kMs);
  EXPECT_EQ(report.frozen_ns, 500 * kMs);
  EXPECT_THAT(report.resume_latencies_ns, ElementsAre(25 * kMs, 20 * kMs));
}

TEST(TelemetryTest, FreezingInTheMiddleOfACheckpointIsNoGap) {
  FakeProbe probe;
  std::atomic<uint64_t> frozen{0};
  const auto freeze = [&] {
    probe.now += 500 * kMs;
    frozen += 500 * kMs;
  };
  Telemetry telemetry({.probe = &probe, .frozen_ns = &frozen});
  telemetry.Begin();
  probe.now += 10 * kMs;
  probe.after_clock = freeze;
  telemetry.EndIteration(1);
  probe.now += 10 * kMs;
  probe.before_cpu = freeze;
  telemetry.EndIteration(1);
  probe.now += 10 * kMs;
  probe.after_clock = freeze;
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.max_gap_ns, 10 * kMs);
  EXPECT_EQ(report.frozen_ns, 1500 * kMs);
}

TEST(TelemetryTest, MigrationsAreSeenAtCheckpoints) {
  FakeProbe probe;
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  for (int cpu : {0, 1, 1, 2}) {
    probe.cpu = cpu;
    probe.Run(kMs);
    telemetry.EndIteration(1);
  }
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.migration_count, 2u);
  ASSERT_EQ(report.migrations.size(), 2u);
  EXPECT_EQ(report.migrations[1].from_cpu, 1);
  EXPECT_EQ(report.migrations[1].to_cpu, 2);
  EXPECT_EQ(report.migrations[1].at_ns, 4 * kMs);
}

TEST(TelemetryTest, ResidencesCountOnlyWhilePlacementsAreInForce) {
  FakeProbe probe;
  std::atomic<uint32_t> epoch{0};
  Telemetry telemetry({.probe = &probe, .placement_epoch = &epoch});
  telemetry.Begin();
  epoch = 1;
  probe.cpu = 5;
  probe.Run(kMs);
  telemetry.EndIteration(1);
  epoch = 2;
  probe.Run(kMs);
  telemetry.EndIteration(1);
  probe.Run(kMs);
  telemetry.EndIteration(1);
  WorkerReport report = telemetry.Finish();
  EXPECT_THAT(report.residences, ElementsAre(Residence{.epoch = 0, .cpu = 0},
                                             Residence{.epoch = 2, .cpu = 5}));
}

TEST(TelemetryTest, MigrationListIsBoundedAndTheCountIsNot) {
  FakeProbe probe;
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  for (size_t i = 0; i < 3 * WorkerReport::kMaxMigrations; ++i) {
    probe.cpu = 1 - probe.cpu;
    probe.Run(10);
    telemetry.EndIteration(1);
  }
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.migration_count, 3 * WorkerReport::kMaxMigrations);
  EXPECT_EQ(report.migrations.size(), WorkerReport::kMaxMigrations);
  EXPECT_EQ(report.residences.size(), 2u);
}

TEST(TelemetryTest, ReservoirIsBoundedAndUniform) {
  FakeProbe probe;
  Telemetry telemetry({.probe = &probe, .seed = 11});
  telemetry.Begin();
  const size_t total = 4 * WorkerReport::kMaxLatencies;
  for (size_t i = 0; i < total; ++i) telemetry.Woke(i);
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.wake_sample_total, total);
  ASSERT_EQ(report.resume_latencies_ns.size(), WorkerReport::kMaxLatencies);
  double sum = 0;
  for (uint64_t latency : report.resume_latencies_ns) sum += latency;
  EXPECT_NEAR(sum / WorkerReport::kMaxLatencies, total / 2.0, total * 0.01);
}

TEST(TelemetryTest, StealAwareGapsAreNetOfStolenTime) {
  FakeProbe probe;
  probe.steal = {0, 0};
  Telemetry telemetry({.probe = &probe, .is_steal_aware = true});
  telemetry.Begin();
  probe.now += 500 * kMs;
  probe.steal = {400 * kMs, 7000 * kMs};
  telemetry.EndIteration(1);
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.max_gap_ns, 100 * kMs);
  EXPECT_EQ(report.max_gap_stolen_ns, 400 * kMs);
  EXPECT_EQ(report.stolen_ns, 400 * kMs);
}

TEST(TelemetryTest, WithoutStealAwarenessNothingIsSubtracted) {
  FakeProbe probe;
  probe.steal = {0};
  Telemetry telemetry({.probe = &probe});
  telemetry.Begin();
  probe.now += 500 * kMs;
  probe.steal = {400 * kMs};
  telemetry.EndIteration(1);
  WorkerReport report = telemetry.Finish();
  EXPECT_EQ(report.max_gap_ns, 500 * kMs);
  EXPECT_EQ(report.stolen_ns, 0u);
}

TEST(TelemetryTest, LiveCountersFollowWhatIsDone) {
  FakeProbe probe;
  LiveCounters live;
  Telemetry telemetry({.probe = &probe, .live = &live});
  telemetry.Begin();
  telemetry.Woke(1000);
  telemetry.EndIteration(3);
  telemetry.Woke(1001);
  telemetry.EndIteration(4);
  EXPECT_EQ(live.iterations.load(), 2u);
  EXPECT_EQ(live.work_units.load(), 7u);
  EXPECT_EQ(live.wakes[WakeBucket(1000)].load(), 2u);
}

TEST(ParseStealNsTest, TakesTheEighthColumnOfEachCpu) {
  const std::string text =
      "cpu  1 2 3 4 5 6 7 99 0 0\n"
      "cpu0 1 2 3 4 5 6 7 8 0 0\n"
      "cpu2 1 2 3 4 5 6 7 5 0 0\n"
      "intr 1 2 3\n";
  EXPECT_THAT(ParseStealNs(text.data(), text.size()),
              ElementsAre(80 * kMs, 0, 50 * kMs));
}

TEST(ParseStealNsTest, DamagedLinesAreSkipped) {
  const std::string text =
      "cpu0 1 2\ncpux 1 2 3 4 5 6 7 8\ncpu99999999 1 2 3 4 5 6 7 8";
  EXPECT_TRUE(ParseStealNs(text.data(), text.size()).empty());
}

TEST(RealWorkerProbeTest, ClocksRun) {
  std::unique_ptr<WorkerProbe> made = MakeWorkerProbe();
  WorkerProbe& probe = *made;
  uint64_t before = probe.NowNs();
  EXPECT_GE(probe.NowNs(), before);
  EXPECT_GE(probe.Cpu(), 0);
  EXPECT_FALSE(probe.ReadStealNs().empty());
}

}  // namespace
}  // namespace ktstr::internal
