// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Three first tests of any scheduler.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;

// Two cgroups, nothing changes: everybody gets on, nobody waits for long.
KTSTR_TEST(steady_two_cgroups, .topology = {.cores = 4}, .duration = 1500ms) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}});
}

// Each cgroup on an LLC of its own, or on half of the machine where there is
// only one, with a worker for each of its CPUs; nobody may be seen on the
// other's side.
KTSTR_TEST(cpuset_split, .topology = {.llcs = 2, .cores = 2},
           .constraints = {.min_cpus = 2}, .duration = 2s,
           .checks = {.isolation = true}) {
  std::vector<Cgroup> cgroups;
  for (int i = 0; i < 2; ++i) {
    CpuSet side = ctx.topology().num_llcs() >= 2 ? CpuSet::llc(i)
                                                 : CpuSet::disjoint(i, 2);
    absl::StatusOr<std::vector<int>> cpus = side.Resolve(ctx.topology());
    if (!cpus.ok()) return cpus.status();
    cgroups.push_back(Cgroup{"cg_" + std::to_string(i)}
                          .cpus(side)
                          .workers(std::min<int>(cpus->size(), 8))
                          .type(WorkType::mixed()));
  }
  return run_cgroups(ctx, std::move(cgroups));
}

// Pairs that only ever run one after the other: each hand-over is a wakeup.
KTSTR_TEST(futex_ping_pong, .topology = {.cores = 4}, .duration = 1500ms,
           .workers_per_cgroup = 2, .checks = {.min_iteration_rate = 1}) {
  Cgroup pairs = Cgroup{"cg_0"}.type(WorkType::futex_ping_pong());
  Cgroup others = Cgroup{"cg_1"}.type(WorkType::bursty());
  return run_cgroups(ctx, {pairs, others});
}

}  // namespace
