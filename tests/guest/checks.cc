// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every check twice under the kernel's own scheduler: a set-up that it must
// pass, and one that really starves, crowds or mis-places a worker, which it
// must find.
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;

constexpr char kVictim[] = "victim";

// The first and the last CPU, which share no LLC and no NUMA node.
constexpr int kElsewhere = 0;
int Here(const Context& ctx) { return ctx.topology().all_cpus().back(); }

Cgroup Group(const Context& ctx, const char* name, WorkType type, int workers) {
  return Cgroup{name}
      .cpus(CpuSet::exact({Here(ctx)}))
      .workers(workers)
      .type(std::move(type));
}

Cgroup Victim(const Context& ctx, WorkType type, int workers = 1) {
  return Group(ctx, kVictim, std::move(type), workers);
}

// Nothing of the default class runs beside it: not longer than the 950 ms after
// which the kernel's fair server steps in.
Cgroup Hog(const Context& ctx, WorkType type = WorkType::cpu_spin()) {
  return Group(ctx, "hog", std::move(type), 1).policy(SchedPolicy::fifo(10));
}

// Somebody meddles with the victims once they run.
Step Meddling(std::function<absl::Status(pid_t)> meddle, std::string& failure) {
  return Step{}.setup([=, &failure](const Context&) {
    const std::string path =
        absl::StrCat("/sys/fs/cgroup/ktstr/", kVictim, "/cgroup.procs");
    absl::StatusOr<std::string> pids = ReadFile(path);
    int pid = 0;
    absl::Status status = pids.status();
    if (status.ok() &&
        !absl::SimpleAtoi(pids->substr(0, pids->find('\n')), &pid)) {
      status = absl::NotFoundError(absl::StrCat(path, " is empty"));
    }
    if (status.ok()) status = meddle(pid);
    if (!status.ok()) failure = std::string(status.message());
    return std::vector<Cgroup>();
  });
}

absl::Status Renice(pid_t pid) {
  if (setpriority(PRIO_PROCESS, pid, 19) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "renice a worker");
}

absl::Status MoveOut(pid_t pid) {
  ABSL_RETURN_IF_ERROR(
      WriteExisting("/sys/fs/cgroup/cgroup.procs", absl::StrCat(pid)));
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(kElsewhere, &cpus);
  if (sched_setaffinity(pid, sizeof(cpus), &cpus) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "move a worker to another CPU");
}

// From the node with the CPUs to the one without.
absl::Status MoveMemory(pid_t pid) {
  const uint64_t from = 1 << 0, to = 1 << 1;
  constexpr int kMaxNode = 64;
  if (syscall(SYS_migrate_pages, pid, kMaxNode, &from, &to) >= 0) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "move the memory of a worker");
}

// What is measured is the absence of work, so the body must not do any: it
// waits for somebody who never comes.
WorkerReport WaitForNobody(StopFlag stop) {
  WorkerReport report;
  report.pid = getpid();
  while (!stop.is_set()) pause();
  report.completed = true;
  return report;
}

absl::StatusOr<Verdict> Play(const Context& ctx, const Checks& checks,
                             std::vector<Cgroup> cgroups) {
  return run_cgroups(ctx, std::move(cgroups), checks);
}

absl::StatusOr<Verdict> Meddled(const Context& ctx, const Checks& checks,
                                Cgroup victim,
                                std::function<absl::Status(pid_t)> meddle) {
  std::string failure;
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      run(ctx, Backdrop{}.cgroup(std::move(victim)),
          {Meddling(std::move(meddle), failure).hold(Hold::frac(1.5))},
          checks));
  if (!failure.empty()) return absl::InternalError(failure);
  return verdict;
}

absl::Status Leave(pid_t) { return absl::OkStatus(); }

// What one spinning worker has to itself.
struct SpinRate {
  double iterations = 0;  // a second
  double units = 0;       // a second; CPU-seconds are a little less
};
absl::StatusOr<SpinRate> MeasureSpin(const Context& ctx) {
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      Play(ctx, {.not_starved = false}, {Victim(ctx, WorkType::cpu_spin())}));
  const GroupStats& spin = verdict.groups.at(0);
  const double seconds = std::chrono::duration<double>(ctx.duration()).count();
  return SpinRate{.iterations = static_cast<double>(spin.iterations) / seconds,
                  .units = static_cast<double>(spin.work_units) / seconds};
}

struct Pair {
  const char* check;
  FindingKind kind;
  std::function<absl::StatusOr<Verdict>(const Context&, bool is_broken)> play;
};

// Limits leave room for a host that takes most of the time away.
const Pair kPairs[] = {
    {"not_starved", FindingKind::kStarved,
     [](const Context& ctx, bool is_broken) {
       return Play(
           ctx, {.not_starved = true},
           {Victim(ctx, is_broken ? WorkType::custom("Waiting", WaitForNobody)
                                  : WorkType::cpu_spin())});
     }},
    {"max_gap_ms", FindingKind::kStuck,
     [](const Context& ctx, bool is_broken) {
       std::vector<Cgroup> cgroups = {Victim(ctx, WorkType::cpu_spin())};
       if (is_broken) cgroups.push_back(Hog(ctx));
       return Play(ctx, {.max_gap_ms = 150}, std::move(cgroups));
     }},
    {"max_spread_pct", FindingKind::kUnfair,
     [](const Context& ctx, bool is_broken) {
       return Meddled(ctx, {.max_gap_ms = 5000, .max_spread_pct = 35},
                      Victim(ctx, WorkType::cpu_spin(), 2),
                      is_broken ? Renice : Leave);
     }},
    {"isolation", FindingKind::kIsolation,
     [](const Context& ctx, bool is_broken) {
       return Meddled(ctx, {.not_starved = false, .isolation = true},
                      Victim(ctx, WorkType::cpu_spin()),
                      is_broken ? MoveOut : Leave);
     }},
    // The first worker of a fan-out does other work than the rest.
    {"max_throughput_cv", FindingKind::kBenchmark,
     [](const Context& ctx, bool is_broken) {
       return Play(ctx, {.not_starved = false, .max_throughput_cv = 0.5},
                   {is_broken ? Victim(ctx, WorkType::fan_out_compute(), 5)
                              : Victim(ctx, WorkType::cpu_spin(), 2)});
     }},
    // A unit of work that is a page fault takes far more than a spin.
    {"min_work_rate", FindingKind::kBenchmark,
     [](const Context& ctx, bool is_broken) -> absl::StatusOr<Verdict> {
       ABSL_ASSIGN_OR_RETURN(SpinRate rate, MeasureSpin(ctx));
       return Play(ctx, {.not_starved = false, .min_work_rate = rate.units / 5},
                   {Victim(ctx, is_broken ? WorkType::page_fault_churn(
                                                {.spin_iters = 1})
                                          : WorkType::cpu_spin())});
     }},
    {"min_iteration_rate", FindingKind::kBenchmark,
     [](const Context& ctx, bool is_broken) -> absl::StatusOr<Verdict> {
       ABSL_ASSIGN_OR_RETURN(SpinRate rate, MeasureSpin(ctx));
       std::vector<Cgroup> cgroups = {Victim(ctx, WorkType::cpu_spin())};
       if (is_broken) cgroups.push_back(Hog(ctx));
       return Play(
           ctx,
           {.not_starved = false, .min_iteration_rate = rate.iterations / 3},
           std::move(cgroups));
     }},
    // One of three may be at work when the hog begins: that is a gap, no wake.
    {"max_p99_wake_latency_ns", FindingKind::kBenchmark,
     [](const Context& ctx, bool is_broken) {
       std::vector<Cgroup> cgroups = {
           Victim(ctx, WorkType::bursty({.burst = 1ms, .sleep = 5ms}), 3)};
       if (is_broken) {
         cgroups.push_back(
             Hog(ctx, WorkType::bursty({.burst = 400ms, .sleep = 50ms})));
       }
       return Play(
           ctx, {.not_starved = false, .max_p99_wake_latency_ns = 200'000'000},
           std::move(cgroups));
     }},
    {"max_wake_latency_cv", FindingKind::kBenchmark,
     [](const Context& ctx, bool is_broken) {
       std::vector<Cgroup> cgroups = {
           Victim(ctx, WorkType::bursty({.burst = 1ms, .sleep = 20ms}), 3)};
       if (is_broken) {
         cgroups.push_back(
             Hog(ctx, WorkType::bursty({.burst = 300ms, .sleep = 300ms})));
       }
       return Play(ctx, {.not_starved = false, .max_wake_latency_cv = 1.2},
                   std::move(cgroups));
     }},
    {"max_migration_ratio", FindingKind::kMigration,
     [](const Context& ctx, bool is_broken) {
       return Play(ctx, {.not_starved = false, .max_migration_ratio = 0.05},
                   {Victim(ctx, is_broken ? WorkType::affinity_churn()
                                          : WorkType::cpu_spin())
                        .cpus(CpuSet::exact({kElsewhere, Here(ctx)}))});
     }},
    // Its memory is on the node of the CPU it had at first.
    {"min_page_locality", FindingKind::kPageLocality,
     [](const Context& ctx, bool is_broken) {
       Step step;
       if (is_broken) {
         step.op(Op::set_cpuset(kVictim, CpuSet::exact({kElsewhere})));
       }
       return run(ctx,
                  Backdrop{}.cgroup(Victim(
                      ctx, WorkType::cache_pressure({.size_kb = 16384}))),
                  {Step{}.hold(Hold::frac(0.5)), step.hold(Hold::frac(0.1))},
                  Checks{.not_starved = false, .min_page_locality = 0.6});
     }},
};

// Both runs of a pair; adds to `wrong` what did not come out as it must.
absl::Status PlayBoth(const Context& ctx, const Pair& pair,
                      std::string& wrong) {
  ABSL_ASSIGN_OR_RETURN(Verdict sound, pair.play(ctx, false));
  for (const Finding& finding : sound.findings) {
    absl::StrAppend(&wrong, pair.check, ": the sound run has ",
                    FindingKindName(finding.kind), ": ", finding.message, "; ");
  }
  ABSL_ASSIGN_OR_RETURN(Verdict broken, pair.play(ctx, true));
  if (broken.passed) {
    absl::StrAppend(&wrong, pair.check, ": the broken run passed; ");
    for (const GroupStats& group : broken.groups) {
      printf("%s: off-CPU %.1f to %.1f %%\n", group.cgroup.c_str(),
             group.min_off_cpu_pct.value_or(-1),
             group.max_off_cpu_pct.value_or(-1));
    }
  }
  for (const Finding& finding : broken.findings) {
    printf("%s finds: %s\n", pair.check, finding.message.c_str());
    if (finding.kind == pair.kind && finding.cgroup == kVictim) continue;
    absl::StrAppend(&wrong, pair.check, ": the broken run has ",
                    FindingKindName(finding.kind), " in \"", finding.cgroup,
                    "\": ", finding.message, "; ");
  }
  return absl::OkStatus();
}

// Somebody moves its memory to the node that no CPU is near.
const Pair kTiers = {
    "max_slow_tier_ratio", FindingKind::kSlowTier,
    [](const Context& ctx, bool is_broken) -> absl::StatusOr<Verdict> {
      std::string failure;
      ABSL_ASSIGN_OR_RETURN(
          Verdict verdict,
          run(ctx,
              Backdrop{}.cgroup(
                  Victim(ctx, WorkType::cache_pressure(
                                  {.size_kb = 4 << 10, .stride = 4096}))),
              {Step{}.hold(Hold::frac(0.5)),
               Meddling(is_broken ? MoveMemory : Leave, failure)
                   .hold(Hold::frac(0.5))},
              Checks{.not_starved = false, .max_slow_tier_ratio = 0.1}));
      if (!failure.empty()) return absl::InternalError(failure);
      return verdict;
    }};

// PASS on a machine with memory that no CPU is near.
KTSTR_TEST(tiers, .topology = {.cores = 2},
           .nodes = {{.llcs = 1, .memory_mib = 256}, {.memory_mib = 512}},
           .duration = 2s) {
  std::string wrong;
  ABSL_RETURN_IF_ERROR(PlayBoth(ctx, kTiers, wrong));
  return wrong.empty() ? pass() : fail(wrong);
}

constexpr SchedulerDef kBalancing =
    SchedulerDef{"balancing"}.sysctl("kernel.numa_balancing", "1");

// The kernel moves its memory after it, or has no reason to.
const Pair kMoved = {
    "max_cross_node_migration_ratio", FindingKind::kCrossNodeMigration,
    [](const Context& ctx, bool is_broken) {
      Cgroup victim = Victim(
          ctx, WorkType::cache_pressure({.size_kb = 16384, .stride = 4096}));
      if (is_broken) victim.cpus(CpuSet::exact({kElsewhere}));
      return run(
          ctx, Backdrop{}.cgroup(std::move(victim)),
          {Step{}.hold(Hold::frac(0.2)),
           Step{}
               .op(Op::set_cpuset(kVictim, CpuSet::exact({Here(ctx)})))
               .hold(Hold::frac(0.8))},
          Checks{.not_starved = false, .max_cross_node_migration_ratio = 0.05});
    }};

// PASS where the kernel balances NUMA nodes.
KTSTR_TEST(moves_pages, .scheduler = &kBalancing,
           .topology = {.numa_nodes = 2, .llcs = 2, .cores = 1},
           .duration = 5s) {
  std::string wrong;
  ABSL_RETURN_IF_ERROR(PlayBoth(ctx, kMoved, wrong));
  return wrong.empty() ? pass() : fail(wrong);
}

// Two workers on each of the guest's CPUs, for so long that each has some of a
// small host's time; somebody meddles with one of those that begin last.
absl::StatusOr<Verdict> PlayCrowd(const Context& ctx,
                                  std::function<absl::Status(pid_t)> meddle) {
  Backdrop backdrop;
  for (int cpu : ctx.topology().all_cpus()) {
    if (cpu == Here(ctx)) continue;
    backdrop.cgroup(Cgroup{absl::StrCat("cpu_", cpu)}
                        .cpus(CpuSet::exact({cpu}))
                        .workers(2));
  }
  backdrop.cgroup(Victim(ctx, WorkType::cpu_spin(), 2));
  std::string failure;
  ABSL_ASSIGN_OR_RETURN(Verdict verdict,
                        run(ctx, std::move(backdrop),
                            {Meddling(std::move(meddle), failure)
                                 .hold(300ms * ctx.topology().total_cpus())}));
  if (!failure.empty()) return absl::InternalError(failure);
  return verdict;
}

const Pair kCrowd = {"crowd", FindingKind::kUnfair,
                     [](const Context& ctx, bool is_broken) {
                       return PlayCrowd(ctx, is_broken ? Renice : Leave);
                     }};

// PASS when default limits, on more CPUs than the host has, hold nothing
// against two workers on each, and find the one that is really kept from
// running. On 32 CPUs: --preset medium-4llc
KTSTR_TEST(crowd, .topology = {.llcs = 2, .cores = 4}, .duration = 1s) {
  std::string wrong;
  ABSL_RETURN_IF_ERROR(PlayBoth(ctx, kCrowd, wrong));
  return wrong.empty() ? pass() : fail(wrong);
}

// PASS when each check passes the one run and finds what is wrong in the other.
// On 32 CPUs: --preset numa4-8llc
KTSTR_TEST(pairs, .topology = {.numa_nodes = 2, .llcs = 2, .cores = 1},
           .constraints = {.min_numa_nodes = 2, .max_numa_nodes = 8},
           .duration = 600ms) {
  std::string wrong;
  for (const Pair& pair : kPairs) {
    ABSL_RETURN_IF_ERROR(PlayBoth(ctx, pair, wrong));
  }
  ctx.record("pairs", std::size(kPairs), "", Polarity::higher_better());
  return wrong.empty() ? pass() : fail(wrong);
}

}  // namespace
