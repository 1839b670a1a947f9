// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Two schedulers of the kernel's own tree (tools/sched_ext), as they are: six
// tests that run on whatever is submitted, and one on which scx_qmap runs with
// its own options as flags.
//
//   S=out/kernel_schedulers
//   ktstrctl submit $S --scheduler scx_simple --scheduler scx_qmap
//   ktstrctl submit $S --preset tiny-2llc --filter qmap_options
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;

constexpr DeclaredConstraints kSmall = {.max_cpus = 16};

// Two cgroups that never sleep.
KTSTR_TEST(even_pair, .constraints = kSmall, .duration = 1s) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}});
}

// Apart by cpuset; nobody may be seen on the other's side.
KTSTR_TEST(apart, .constraints = kSmall, .duration = 1s,
           .checks = {.isolation = true}) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 2)),
                           Cgroup{"cg_1"}.cpus(CpuSet::disjoint(1, 2))});
}

// Tasks that give their CPU back all the time.
KTSTR_TEST(yields, .constraints = kSmall, .duration = 1s) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}.type(WorkType::yield_heavy()),
                           Cgroup{"cg_1"}.type(WorkType::mixed())});
}

// Each hand-over is a wakeup.
KTSTR_TEST(ping_pong, .constraints = kSmall, .duration = 1s,
           .checks = {.min_iteration_rate = 1}) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}.type(WorkType::futex_ping_pong())});
}

// Sleepers beside tasks that run.
KTSTR_TEST(bursts, .constraints = kSmall, .duration = 1s) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}.type(WorkType::bursty()),
                           Cgroup{"cg_1"}.type(WorkType::cpu_spin())});
}

// Tasks that come and go.
KTSTR_TEST(forks, .constraints = kSmall, .duration = 1s) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}.type(WorkType::fork_exit()),
                           Cgroup{"cg_1"}.type(WorkType::io_sync())});
}

// Boosting works on what batching leaves in the shared queue.
constexpr SchedulerDef kQmap =
    SchedulerDef("scx_qmap", "scx_qmap")
        .flag({.name = "slice", .args = {"-s", "5000"}})
        .flag({.name = "batch", .args = {"-b", "8"}})
        .flag({.name = "boost", .args = {"-H"}, .requires_flags = {"batch"}});

KTSTR_TEST(qmap_options, .scheduler = &kQmap, .constraints = kSmall,
           .duration = 1s) {
  return run_cgroups(
      ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}.type(WorkType::yield_heavy())});
}

}  // namespace
