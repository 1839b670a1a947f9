// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// scx_fixture (bpf/), told to behave and to misbehave in every way it can. End-
// to-end tests assert what the fleet makes of each.
#include <signal.h>

#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;

constexpr SchedulerDef kFixture = SchedulerDef("scx_fixture", "scx_fixture");

// Where a task that does not run counts as stalled soon, for the kernel.
constexpr SchedulerDef kWatched = kFixture.arg("--watchdog-ms").arg("1000");

// A guest with CPUs for everybody, and others beside them.
constexpr DeclaredConstraints kSeveralLlcs = {.min_llcs = 2};

absl::StatusOr<Verdict> RunSomeWork(const Context& ctx) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}});
}

constexpr SchedulerDef kWithFlags =
    kFixture.flag({.name = "llc", .args = {"--llc"}})
        .flag(
            {.name = "steal", .args = {"--steal"}, .requires_flags = {"llc"}});

// PASS, on every preset.
KTSTR_TEST(behaves, .scheduler = &kFixture, .duration = 1s) {
  return RunSomeWork(ctx);
}

// PASS, with --llc and with both flags.
KTSTR_TEST(behaves_by_llc, .scheduler = &kWithFlags,
           .constraints = kSeveralLlcs, .required_flags = {"llc"},
           .duration = 1s) {
  return RunSomeWork(ctx);
}

constexpr SchedulerDef kStallsOne =
    kWatched.arg("--stall-one").arg("ktstr-worker");

// FAIL: the kernel ends the scheduler.
KTSTR_TEST(stalls_one, .scheduler = &kStallsOne, .constraints = kSeveralLlcs,
           .duration = 10s) {
  return RunSomeWork(ctx);
}

// The same, where the scheduler itself would have waited long.
constexpr SchedulerDef kStallsOneSoon = kFixture.arg("--watchdog-ms")
                                            .arg("8000")
                                            .arg("--stall-one")
                                            .arg("ktstr-worker")
                                            .watchdog_timeout(1s);

KTSTR_TEST(stalls_one_soon, .scheduler = &kStallsOneSoon,
           .constraints = kSeveralLlcs, .duration = 15s) {
  return RunSomeWork(ctx);
}

// PASS, with a note: nothing looked at the shorter time-out in so short a time.
constexpr SchedulerDef kWatchedInVain = kFixture.watchdog_timeout(1s);

KTSTR_TEST(watched_in_vain, .scheduler = &kWatchedInVain,
           .constraints = kSeveralLlcs, .duration = 1s) {
  return RunSomeWork(ctx);
}

constexpr SchedulerDef kStallsAll =
    kWatched.arg("--stall-all").arg("--after").arg("0.5");

KTSTR_TEST(stalls_all, .scheduler = &kStallsAll, .constraints = kSeveralLlcs,
           .duration = 10s) {
  return RunSomeWork(ctx);
}

constexpr SchedulerDef kDrops = kWatched.arg("--drop").arg("10");

KTSTR_TEST(drops, .scheduler = &kDrops, .constraints = kSeveralLlcs,
           .duration = 10s) {
  return RunSomeWork(ctx);
}

constexpr SchedulerDef kCrashes =
    kFixture.arg("--crash").arg("--after").arg("0.5");

KTSTR_TEST(crashes, .scheduler = &kCrashes, .constraints = kSeveralLlcs,
           .duration = 10s) {
  return RunSomeWork(ctx);
}

constexpr SchedulerDef kIgnoresAffinity = kFixture.arg("--ignore-affinity");

KTSTR_TEST(ignores_affinity, .scheduler = &kIgnoresAffinity,
           .constraints = kSeveralLlcs, .duration = 10s) {
  return run_cgroups(
      ctx, {Cgroup{"cg_0"}.work(Work{}.affinity(Affinity::single_cpu()))});
}

constexpr SchedulerDef kIgnoresCpuset = kFixture.arg("--ignore-cpuset");

KTSTR_TEST(ignores_cpuset, .scheduler = &kIgnoresCpuset,
           .constraints = kSeveralLlcs, .duration = 10s) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}.cpus(CpuSet::llc(0)),
                           Cgroup{"cg_1"}.cpus(CpuSet::llc(1))});
}

// FAIL: the scheduler ends by itself, without an error.
constexpr SchedulerDef kExits = kFixture.arg("--exit-after").arg("0.5");

KTSTR_TEST(exits, .scheduler = &kExits, .constraints = kSeveralLlcs,
           .duration = 10s) {
  return RunSomeWork(ctx);
}

// What workers are forked with.
pid_t victim = 0;

WorkerReport KillVictim(StopFlag stop) {
  kill(victim, SIGKILL);
  WorkerReport report;
  report.completed = true;
  while (!stop.is_set()) ++report.work_units;
  return report;
}

// FAIL: the test kills the scheduler's process. By a worker, when all of them
// have been forked: a task that is forked while the kernel lets a scheduler go
// is of the fair class, which comes before sched_ext's then. If it never
// blocks, and RCU's thread waits in the queue of its CPU, 6.12 never gets on.
KTSTR_TEST(kills_scheduler, .scheduler = &kFixture, .constraints = kSeveralLlcs,
           .duration = 10s) {
  victim = ctx.sched_pid().value();
  return run_cgroups(
      ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}.workers(1).type(WorkType::custom(
                                "kills_scheduler", &KillVictim))});
}

// PASS: what schedules is in the kernel, not in the process that is stopped.
KTSTR_TEST(stops_scheduler, .scheduler = &kFixture, .constraints = kSeveralLlcs,
           .duration = 1s) {
  kill(ctx.sched_pid().value(), SIGSTOP);
  return RunSomeWork(ctx);
}

// FAIL: the workers find out.

// Two share a CPU in long turns while others are idle: one always waits.
constexpr SchedulerDef kUsesOneCpu =
    kFixture.arg("--one-cpu").arg("0").arg("--slice-us").arg("800000");

KTSTR_TEST(uses_one_cpu, .scheduler = &kUsesOneCpu, .constraints = kSeveralLlcs,
           .duration = 2s, .checks = {.max_gap_ms = 400}) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}});
}

// Two share a CPU because they have to: one has nearly all of it.
constexpr SchedulerDef kIsUnfair = kFixture.arg("--unfair").arg("ktstr-worker");

KTSTR_TEST(is_unfair, .scheduler = &kIsUnfair, .constraints = kSeveralLlcs,
           .duration = 3s) {
  const int cpu = ctx.topology().all_cpus().back();
  return run_cgroups(ctx, {Cgroup{"cg_0"}.cpus(CpuSet::exact({cpu}))});
}

// PASS: the same without favour.
KTSTR_TEST(is_fair, .scheduler = &kFixture, .constraints = kSeveralLlcs,
           .duration = 3s) {
  const int cpu = ctx.topology().all_cpus().back();
  return run_cgroups(ctx, {Cgroup{"cg_0"}.cpus(CpuSet::exact({cpu}))});
}

// FAIL: the kernel takes none of these.
constexpr SchedulerDef kIsRejected = kFixture.arg("--reject-load");

KTSTR_TEST(is_rejected, .scheduler = &kIsRejected,
           .constraints = kSeveralLlcs) {
  return RunSomeWork(ctx);
}

constexpr SchedulerDef kLoopsInVerifier = kFixture.arg("--verifier-loop");

KTSTR_TEST(loops_in_verifier, .scheduler = &kLoopsInVerifier,
           .constraints = kSeveralLlcs) {
  return RunSomeWork(ctx);
}

}  // namespace
