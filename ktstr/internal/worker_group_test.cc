// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Real worker processes, no privileges needed. Where a test must let workers
// run, it waits for their counters to move.
#include "ktstr/internal/worker_group.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/worker_runs.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::SizeIs;

bool Exists(pid_t pid) { return kill(pid, 0) == 0; }

TEST(WorkerGroupTest, SpinningWorkersReport) {
  std::vector<WorkerReport> reports =
      RunUntil({.type = WorkType::cpu_spin(), .workers = 2}, 100);
  ASSERT_THAT(reports, SizeIs(2));
  EXPECT_THAT(reports, Each(Field(&WorkerReport::completed, true)));
  EXPECT_GE(reports[0].iterations, 100u);
  for (const WorkerReport& report : reports) {
    EXPECT_EQ(report.work_units, report.iterations * 1024);
    EXPECT_GT(report.wall_time_ns, 0u);
    EXPECT_GE(report.wall_time_ns + 1'000'000, report.cpu_time_ns);
    EXPECT_FALSE(report.residences.empty());
    EXPECT_EQ(report.setup_error, "");
  }
}

TEST(WorkerGroupTest, StartReturnsWhenEverybodyWorks) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 24});
  ASSERT_OK(group->Start());
  const absl::Duration start = RealClock().Monotonic();
  while (RealClock().Monotonic() < start + absl::Milliseconds(100)) {
    sched_yield();
  }
  // Whoever came last has measured all of it.
  for (const WorkerReport& report : group->StopAndCollect()) {
    EXPECT_GE(report.wall_time_ns, 100'000'000u);
  }
}

TEST(WorkerGroupTest, StartDoesNotWaitForTheDead) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 2});
  ASSERT_EQ(kill(group->pids()[0], SIGKILL), 0);
  const absl::Duration start = RealClock().Monotonic();
  ASSERT_OK(group->Start());
  EXPECT_LT(RealClock().Monotonic() - start, WorkerGroup::kStartTimeout);
}

TEST(WorkerGroupTest, TimeTheTestStoppedThemIsNoGap) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 1});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 1));
  // As a frozen cgroup would.
  const pid_t pid = group->pids()[0];
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, pid, &info, WSTOPPED), 0);
  group->SetFrozen(true);
  const absl::Duration start = RealClock().Monotonic();
  while (RealClock().Monotonic() < start + absl::Milliseconds(200)) {
    sched_yield();
  }
  group->SetFrozen(true);  // a second time is nothing new
  group->SetFrozen(false);
  ASSERT_EQ(kill(pid, SIGCONT), 0);
  ASSERT_TRUE(AwaitIterations(*group, group->Iterations()[0] + 10));
  const WorkerReport report = group->StopAndCollect()[0];
  EXPECT_GE(report.frozen_ns, 200'000'000u);
  EXPECT_GE(report.wall_time_ns, report.frozen_ns);
  EXPECT_LT(report.max_gap_ns, report.frozen_ns);
}

TEST(WorkerGroupTest, WorkersWaitForTheStart) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 1});
  EXPECT_EQ(group->TotalIterations(), 0u);
  std::vector<WorkerReport> reports = group->StopAndCollect();
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_FALSE(reports[0].completed);
  EXPECT_EQ(reports[0].work_units, 0u);
}

TEST(WorkerGroupTest, RefusesCountsThatDoNotFit) {
  EXPECT_THAT(WorkerGroup::Spawn({.workers = 0}).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not 0")));
  EXPECT_THAT(
      WorkerGroup::Spawn({.type = WorkType::futex_ping_pong(), .workers = 3})
          .status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("FutexPingPong needs a multiple of 2")));
}

TEST(WorkerGroupTest, ACrashedWorkerReportsItsSignal) {
  WorkType crash = WorkType::custom("crash", [](StopFlag) -> WorkerReport {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return {};
  });
  std::unique_ptr<WorkerGroup> group = Spawn({.type = crash, .workers = 1});
  ASSERT_OK(group->Start());
  std::vector<WorkerReport> reports = group->StopAndCollect();
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_FALSE(reports[0].completed);
  EXPECT_EQ(reports[0].exit.kind, WorkerExit::Kind::kSignaled);
  EXPECT_EQ(reports[0].exit.value, SIGSEGV);
  EXPECT_EQ(reports[0].pid, group->pids()[0]);
}

TEST(WorkerGroupTest, AnExitWithoutReportKeepsItsCode) {
  WorkType quits =
      WorkType::custom("quits", [](StopFlag) -> WorkerReport { _exit(7); });
  std::unique_ptr<WorkerGroup> group = Spawn({.type = quits, .workers = 1});
  ASSERT_OK(group->Start());
  std::vector<WorkerReport> reports = group->StopAndCollect();
  EXPECT_EQ(reports[0].exit.kind, WorkerExit::Kind::kExited);
  EXPECT_EQ(reports[0].exit.value, 7);
}

TEST(WorkerGroupTest, AWorkerThatIgnoresStopIsTimedOutAndGone) {
  WorkType deaf = WorkType::custom("deaf", [](StopFlag) -> WorkerReport {
    for (;;) pause();
  });
  std::unique_ptr<WorkerGroup> group = Spawn({.type = deaf, .workers = 1});
  ASSERT_OK(group->Start());
  pid_t pid = group->pids()[0];
  std::vector<WorkerReport> reports =
      group->StopAndCollect(absl::Milliseconds(50));
  EXPECT_EQ(reports[0].exit.kind, WorkerExit::Kind::kTimedOut);
  EXPECT_FALSE(Exists(pid));
}

TEST(WorkerGroupTest, CustomReportsArriveWhole) {
  WorkType counts = WorkType::custom("counts", [](StopFlag stop) {
    WorkerReport report;
    while (!stop.is_set()) ++report.work_units;
    report.iterations = 3;
    return report;
  });
  std::unique_ptr<WorkerGroup> group = Spawn({.type = counts, .workers = 1});
  ASSERT_OK(group->Start());
  std::vector<WorkerReport> reports = group->StopAndCollect();
  EXPECT_TRUE(reports[0].completed);
  EXPECT_EQ(reports[0].iterations, 3u);
}

TEST(WorkerGroupTest, DestructionLeavesNoProcess) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 3});
  ASSERT_OK(group->Start());
  std::vector<pid_t> pids = group->pids();
  group.reset();
  for (pid_t pid : pids) EXPECT_FALSE(Exists(pid));
}

TEST(WorkerGroupTest, AffinityPinsEachWorker) {
  const int cpu = sched_getcpu();
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::cpu_spin(), .workers = 1, .affinities = {{cpu}}}, 50);
  ASSERT_THAT(reports[0].residences, SizeIs(1));
  EXPECT_EQ(reports[0].residences[0].cpu, cpu);
}

TEST(WorkerGroupTest, AnImpossibleAffinityIsReported) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::cpu_spin(), .workers = 1, .affinities = {{4095}}}, 1);
  EXPECT_THAT(reports[0].setup_error, HasSubstr("affinity 4095"));
}

TEST(WorkerGroupTest, BatchAndIdlePoliciesApply) {
  for (SchedPolicy policy : {SchedPolicy::batch(), SchedPolicy::idle()}) {
    std::vector<WorkerReport> reports = RunUntil(
        {.type = WorkType::cpu_spin(), .policy = policy, .workers = 1}, 1);
    EXPECT_EQ(reports[0].setup_error, "");
  }
}

// The machine may have one node or many, and a kernel that counts no pages.
TEST(WorkerGroupTest, PagesOfTheWorkAreCountedByNode) {
  const bool is_counted = access("/proc/self/numa_maps", R_OK) == 0;
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::cache_pressure({.size_kb = 8192}), .workers = 1}, 300);
  uint64_t pages = 0;
  for (const auto& [node, count] : reports[0].numa_pages) pages += count;
  if (is_counted) {
    EXPECT_GE(pages, 2048u);
  } else {
    EXPECT_EQ(pages, 0u);
  }
}

TEST(WorkerGroupTest, AnImpossibleMemoryPolicyIsReported) {
  std::vector<WorkerReport> reports =
      RunUntil({.type = WorkType::cpu_spin(),
                .memory = MemPolicy::bind({1023}),
                .workers = 1},
               1);
  EXPECT_THAT(reports[0].setup_error, HasSubstr("memory policy bind(1023): "));
}

TEST(WorkerGroupTest, TheFirstOfAFanOutIsItsMessenger) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::futex_fan_out({.fan_out = 1}), .workers = 4}, 2);
  ASSERT_THAT(reports, SizeIs(4));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(reports[i].is_messenger, i % 2 == 0);
  }
}

TEST(WorkerGroupTest, PlacementEpochsSeparateResidences) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 1});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 10));
  group->BeginPlacementChange();
  EXPECT_EQ(group->epoch(), 1u);
  group->EndPlacementChange();
  EXPECT_EQ(group->epoch(), 2u);
  ASSERT_TRUE(AwaitIterations(*group, group->TotalIterations() + 10));
  std::vector<WorkerReport> reports = group->StopAndCollect();
  ASSERT_FALSE(reports[0].residences.empty());
  EXPECT_EQ(reports[0].residences.front().epoch, 0u);
  EXPECT_EQ(reports[0].residences.back().epoch, 2u);
}

// A burst of no length is one iteration: three of them have two sleeps between.
TEST(WorkerGroupTest, BurstySleepIsBlocking) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::bursty({.burst = std::chrono::nanoseconds(1),
                                 .sleep = std::chrono::milliseconds(20)}),
       .workers = 1},
      3);
  EXPECT_GE(reports[0].blocked_ns, 40'000'000u);
  EXPECT_GE(reports[0].off_cpu_ns, 35'000'000u);
  EXPECT_GE(reports[0].wake_sample_total, 2u);
}

}  // namespace
}  // namespace ktstr::internal
