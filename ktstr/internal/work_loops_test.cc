// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every work type in real, short-lived workers, looked at from outside where
// the kernel tells what they do.
#include "ktstr/internal/work_loops.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/affinity.h"
#include "ktstr/internal/worker_group.h"
#include "ktstr/internal/worker_runs.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// Which workers of a group take wake samples, once they have worked a while.
enum class Samples { kNone, kReceivers, kMaybe, kAll };

struct TypeCase {
  WorkType type;
  Samples samples;
  // Units of an iteration of the last worker of a group.
  uint64_t units;
};

class WorkLoopsTest : public ::testing::TestWithParam<TypeCase> {};

TEST_P(WorkLoopsTest, MakesProgressAndStops) {
  const TypeCase& c = GetParam();
  const int size = c.type.group_size();
  std::vector<WorkerReport> reports =
      RunUntil({.type = c.type, .workers = 2 * size, .seed = 1}, 6);
  ASSERT_THAT(reports, SizeIs(2 * size));
  for (int i = 0; i < 2 * size; ++i) {
    const WorkerReport& report = reports[i];
    SCOPED_TRACE(absl::StrCat("worker ", i));
    EXPECT_TRUE(report.completed) << report.exit.ToString();
    EXPECT_EQ(report.setup_error, "");
    EXPECT_GE(report.iterations, 6u);
    EXPECT_GE(report.wall_time_ns + 1'000'000, report.cpu_time_ns);
    EXPECT_LE(report.blocked_ns, report.wall_time_ns);
    const bool is_last = i % size == size - 1;
    if (is_last && c.units > 0) {
      // Units of an iteration that stop cut short are counted, too.
      EXPECT_GE(report.work_units, report.iterations * c.units);
      EXPECT_LE(report.work_units, (report.iterations + 1) * c.units);
    }
    const bool is_messenger = i % size == 0 && size > 2;
    if (c.samples == Samples::kAll ||
        (c.samples == Samples::kReceivers && !is_messenger)) {
      EXPECT_GT(report.wake_sample_total, 0u);
    }
    if (c.samples == Samples::kNone ||
        (c.samples == Samples::kReceivers && is_messenger)) {
      EXPECT_EQ(report.wake_sample_total, 0u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, WorkLoopsTest,
    ::testing::Values(
        TypeCase{WorkType::cpu_spin(), Samples::kNone, 1024},
        TypeCase{WorkType::yield_heavy(), Samples::kNone, 1},
        TypeCase{WorkType::mixed(), Samples::kNone, 1024},
        TypeCase{WorkType::io_sync(), Samples::kAll, 16},
        TypeCase{WorkType::bursty({.burst = 1ms, .sleep = 1ms}),
                 Samples::kMaybe, 1024},
        TypeCase{WorkType::pipe_io(), Samples::kMaybe, 1024},
        TypeCase{WorkType::futex_ping_pong(), Samples::kMaybe, 1024},
        TypeCase{WorkType::cache_pressure({.size_kb = 64, .stride = 48}),
                 Samples::kNone, 1024},
        TypeCase{WorkType::cache_yield(), Samples::kAll, 1024},
        TypeCase{WorkType::cache_pipe({.burst_iters = 100}), Samples::kMaybe,
                 100},
        // A receiver that is always late has no wait to measure.
        TypeCase{WorkType::futex_fan_out({.fan_out = 2, .spin_iters = 100}),
                 Samples::kMaybe, 100},
        TypeCase{WorkType::fan_out_compute(
                     {.fan_out = 2, .cache_footprint_kb = 4, .operations = 3}),
                 Samples::kReceivers, 3},
        TypeCase{WorkType::sequence({Phase::spin(100us), Phase::sleep(1ms),
                                     Phase::yield(100us), Phase::io(1ms)}),
                 Samples::kAll, 0},
        TypeCase{WorkType::fork_exit(), Samples::kAll, 1},
        TypeCase{WorkType::nice_sweep(), Samples::kAll, 512},
        TypeCase{WorkType::affinity_churn({.spin_iters = 64}), Samples::kAll,
                 64},
        TypeCase{WorkType::policy_churn(), Samples::kAll, 1024},
        TypeCase{WorkType::page_fault_churn(), Samples::kNone, 320},
        TypeCase{WorkType::mutex_contention({.contenders = 3}), Samples::kMaybe,
                 1280},
        // Several timers may have expired by the time one is handled.
        TypeCase{WorkType::timer_storm({.timers = 3, .period = 3ms}),
                 Samples::kAll, 0},
        TypeCase{WorkType::socket_ping_pong({.spin_iters = 10}),
                 Samples::kMaybe, 10},
        TypeCase{WorkType::sequence({Phase::loop(2, {Phase::run(50us),
                                                     Phase::timer(2ms)})}),
                 Samples::kMaybe, 0}),
    [](const auto& info) {
      return absl::StrCat(info.param.type.name(), info.index);
    });

TEST(WorkLoopsTest, GroupsOfTheWrongSizeAreRefused) {
  EXPECT_THAT(
      WorkerGroup::Spawn({.type = WorkType::futex_fan_out(), .workers = 12})
          .status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "FutexFanOut needs a multiple of 5 workers, not 12"));
  EXPECT_THAT(
      WorkerGroup::Spawn(
          {.type = WorkType::mutex_contention({.contenders = 0}), .workers = 4})
          .status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("MutexContention: contenders")));
}

TEST(WorkLoopsTest, PartnersAlternate) {
  for (const WorkType& type : {WorkType::futex_ping_pong(), WorkType::pipe_io(),
                               WorkType::cache_pipe()}) {
    SCOPED_TRACE(type.name());
    std::vector<WorkerReport> reports =
        RunUntil({.type = type, .workers = 4}, 100);
    ASSERT_THAT(reports, SizeIs(4));
    for (int pair : {0, 2}) {
      int64_t first = reports[pair].iterations;
      int64_t second = reports[pair + 1].iterations;
      EXPECT_LE(std::abs(first - second), 1);
      EXPECT_GT(
          reports[pair].wake_sample_total + reports[pair + 1].wake_sample_total,
          0u);
    }
  }
}

TEST(WorkLoopsTest, AKilledPartnerDoesNotEndTheOther) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::pipe_io(), .workers = 2});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 10));
  kill(group->pids()[0], SIGKILL);
  std::vector<WorkerReport> reports = group->StopAndCollect();
  EXPECT_EQ(reports[0].exit.kind, WorkerExit::Kind::kSignaled);
  EXPECT_TRUE(reports[1].completed) << reports[1].exit.ToString();
  EXPECT_GE(reports[1].iterations, 10u);
}

TEST(WorkLoopsTest, NoReceiverSeesMoreThanWasAnnounced) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::futex_fan_out({.fan_out = 3}), .workers = 4}, 100);
  ASSERT_THAT(reports, SizeIs(4));
  for (int i = 1; i < 4; ++i) {
    EXPECT_LE(reports[i].iterations, reports[0].iterations + 1);
  }
}

TEST(WorkLoopsTest, ASequenceSleepsOncePerPass) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::sequence({Phase::spin(100us), Phase::sleep(3ms)}),
       .workers = 1},
      20);
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_GE(reports[0].blocked_ns, reports[0].iterations * 3'000'000);
  EXPECT_LE(reports[0].wake_sample_total, reports[0].iterations + 1);
  EXPECT_GE(reports[0].wake_sample_total, reports[0].iterations);
  EXPECT_GE(reports[0].work_units, reports[0].iterations * 1024);
}

TEST(WorkLoopsTest, TimersExpireAtTheirPeriod) {
  const WorkType storm = WorkType::timer_storm({.timers = 4, .period = 8ms});
  std::vector<WorkerReport> reports =
      RunUntil({.type = storm, .workers = 1}, 20);
  ASSERT_THAT(reports, SizeIs(1));
  // Two milliseconds apart.
  const double due = static_cast<double>(reports[0].wall_time_ns) / 2e6;
  EXPECT_LE(static_cast<double>(reports[0].work_units), due + 1);
  EXPECT_GE(static_cast<double>(reports[0].work_units), due - 4 - due / 2);
  EXPECT_LE(reports[0].wake_sample_total, reports[0].work_units);
  EXPECT_GT(reports[0].blocked_ns, 0u);
}

TEST(WorkLoopsTest, RunPhasesAreCpuTime) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::sequence({Phase::run(2ms)}), .workers = 1}, 10);
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_GE(reports[0].cpu_time_ns, reports[0].iterations * 2'000'000);
}

// A timer that is late starts anew: nothing is made up for.
TEST(WorkLoopsTest, TimerPhasesEndAtMultiplesOfTheirPeriod) {
  std::vector<WorkerReport> reports = RunUntil(
      {.type = WorkType::sequence({Phase::timer(4ms)}), .workers = 1}, 10);
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_GE(reports[0].wall_time_ns, reports[0].iterations * 4'000'000);
}

TEST(WorkLoopsTest, WorkqueuePressureNeedsRoot) {
  const WorkerGroupSpec spec{.type = WorkType::workqueue_pressure(),
                             .workers = 1};
  if (access("/proc/sys/vm/stat_refresh", W_OK) == 0) {
    WorkerReport report = RunUntil(spec, 3)[0];
    EXPECT_EQ(report.setup_error, "");
    EXPECT_GE(report.wake_sample_total, 3u);
  } else {
    WorkerReport report = RunUntil(spec, 0)[0];
    EXPECT_THAT(report.setup_error,
                HasSubstr("WorkqueuePressure: open /proc/sys/vm/stat_refresh"));
  }
}

TEST(WorkLoopsTest, RcuPressureWaitsForGracePeriods) {
  const long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (commands < 0 || (commands & MEMBARRIER_CMD_GLOBAL) == 0) {
    GTEST_SKIP() << "a kernel without membarrier";
  }
  WorkerReport report =
      RunUntil({.type = WorkType::rcu_pressure(), .workers = 1}, 3)[0];
  EXPECT_EQ(report.setup_error, "");
  EXPECT_GE(report.wake_sample_total, 3u);
}

TEST(WorkLoopsTest, ThreadsWorkTogetherAsOneWorker) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::mixed(), .workers = 2, .threads = 3});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 300));
  ASSERT_OK_AND_ASSIGN(
      std::vector<std::string> threads,
      ListDir(absl::StrCat("/proc/", group->pids()[0], "/task")));
  EXPECT_GE(threads.size(), 3u);  // a sanitizer adds its own
  const std::vector<uint64_t> live = group->Iterations();
  std::vector<WorkerReport> reports = group->StopAndCollect();
  ASSERT_THAT(reports, SizeIs(2));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(reports[i].completed) << reports[i].exit.ToString();
    EXPECT_GE(reports[i].iterations, live[i]);
    EXPECT_EQ(reports[i].work_units, reports[i].iterations * 1024);
    EXPECT_GE(reports[i].wall_time_ns + 1'000'000, reports[i].cpu_time_ns);
  }
}

TEST(WorkLoopsTest, AffinityIsThatOfEveryThread) {
  const int cpu = GetAffinity().front();
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .workers = 1, .threads = 2});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 10));
  ASSERT_OK(group->SetAffinity(0, {cpu}));
  ASSERT_OK_AND_ASSIGN(
      std::vector<std::string> threads,
      ListDir(absl::StrCat("/proc/", group->pids()[0], "/task")));
  for (const std::string& thread : threads) {
    cpu_set_t mask;
    ASSERT_EQ(sched_getaffinity(std::stoi(thread), sizeof(mask), &mask), 0);
    EXPECT_EQ(CPU_COUNT(&mask), 1);
    EXPECT_TRUE(CPU_ISSET(cpu, &mask));
  }
}

TEST(WorkLoopsTest, GroupsHaveNoThreads) {
  auto refused = [](WorkerGroupSpec spec) {
    return WorkerGroup::Spawn(std::move(spec)).status();
  };
  EXPECT_THAT(
      refused({.type = WorkType::pipe_io(), .workers = 2, .threads = 2}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("PipeIo has one thread a worker, not 2")));
  EXPECT_THAT(refused({.workers = 1, .threads = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("1 to 256 threads, not 0")));
}

TEST(WorkLoopsTest, ADeadlineIsAppliedOrItIsSaidWhyNot) {
  const SchedPolicy policy = SchedPolicy::deadline(1ms, 5ms, 10ms);
  EXPECT_EQ(policy.ToString(), "deadline(1ms, 5ms, 10ms)");
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::cpu_spin(), .policy = policy, .workers = 1});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 2));
  constexpr int kDeadline = 6;
  const bool is_deadline =
      sched_getscheduler(group->pids()[0]) == (kDeadline | SCHED_RESET_ON_FORK);
  WorkerReport report = group->StopAndCollect()[0];
  if (is_deadline) {
    EXPECT_EQ(report.setup_error, "");
  } else {
    EXPECT_THAT(report.setup_error,
                HasSubstr("policy deadline(1ms, 5ms, 10ms): "));
  }
  EXPECT_THAT(
      WorkerGroup::Spawn(
          {.policy = SchedPolicy::deadline(5ms, 1ms, 10ms), .workers = 1})
          .status(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("deadline(5ms, 1ms, 10ms): runtime, deadline")));
}

TEST(WorkLoopsTest, AffinityChurnVisitsItsCpus) {
  const std::vector<int> cpus = GetAffinity();
  std::vector<WorkerReport> reports =
      RunUntil({.type = WorkType::affinity_churn({.spin_iters = 16}),
                .workers = 1,
                .seed = 7},
               50 * cpus.size());
  ASSERT_THAT(reports, SizeIs(1));
  std::set<int> seen;
  for (const Residence& residence : reports[0].residences) {
    seen.insert(residence.cpu);
  }
  EXPECT_THAT(cpus, IsSupersetOf(seen));
  EXPECT_EQ(seen.size() > 1, cpus.size() > 1);
}

TEST(WorkLoopsTest, NiceSweepChangesItsNiceValue) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::nice_sweep(), .workers = 1});
  ASSERT_OK(group->Start());
  std::set<int> seen;
  EXPECT_TRUE(AwaitThat([&] {
    seen.insert(getpriority(PRIO_PROCESS, group->pids()[0]));
    return seen.size() > 1 && *seen.rbegin() == 19;
  }));
  EXPECT_TRUE(group->StopAndCollect()[0].completed);
}

TEST(WorkLoopsTest, PolicyChurnChangesItsPolicy) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::policy_churn(), .workers = 1});
  ASSERT_OK(group->Start());
  std::set<int> seen;
  EXPECT_TRUE(AwaitThat([&] {
    seen.insert(sched_getscheduler(group->pids()[0]));
    return seen.contains(SCHED_OTHER) && seen.contains(SCHED_BATCH);
  }));
  EXPECT_TRUE(group->StopAndCollect()[0].completed);
}

// Of 1024 pages 256 random touches hit 226 on average, each pass anew.
TEST(WorkLoopsTest, PageFaultChurnFaults) {
  std::unique_ptr<WorkerGroup> group =
      Spawn({.type = WorkType::page_fault_churn(), .workers = 1, .seed = 3});
  ASSERT_OK(group->Start());
  ASSERT_TRUE(AwaitIterations(*group, 40));
  const uint64_t passes = group->TotalIterations();
  ASSERT_OK_AND_ASSIGN(
      std::string stat,
      ReadFile(absl::StrCat("/proc/", group->pids()[0], "/stat")));
  std::vector<std::string> fields = absl::StrSplit(stat, ' ');
  ASSERT_GT(fields.size(), 9u);
  EXPECT_GE(std::stoull(fields[9]), passes * 200);
  EXPECT_TRUE(group->StopAndCollect()[0].completed);
}

}  // namespace
}  // namespace ktstr::internal
