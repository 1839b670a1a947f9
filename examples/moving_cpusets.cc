// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a scheduler makes of cpusets that change under running workers.
#include "ktstr/ktstr.h"

namespace {

using namespace ktstr;
using namespace std::chrono_literals;

// The halves of the machine change hands while everybody keeps running.
KTSTR_TEST(cpuset_swap, .topology = {.cores = 4},
           .constraints = {.min_cpus = 4}, .duration = 2s,
           .checks = {.isolation = true}) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 2)))
                 .cgroup(Cgroup{"cg_1"}.cpus(CpuSet::disjoint(1, 2))),
             {Step{}.hold(Hold::frac(0.5)).label("apart"),
              Step{}
                  .op(Op::swap_cpusets("cg_0", "cg_1"))
                  .hold(Hold::frac(0.5))
                  .label("swapped")});
}

// A worker's world shrinks to one CPU and opens again.
KTSTR_TEST(cpuset_narrow_and_clear, .topology = {.cores = 4},
           .constraints = {.min_cpus = 3}, .duration = 2s,
           .checks = {.isolation = true}) {
  return run(ctx, Backdrop{}.cgroup(Cgroup{"cg_0"}).cgroup(Cgroup{"cg_1"}),
             {Step{}.hold(Hold::frac(0.3)).label("free"),
              Step{}
                  .op(Op::set_cpuset("cg_0", CpuSet::disjoint(0, 2)))
                  .hold(Hold::frac(0.4))
                  .label("narrow"),
              Step{}
                  .op(Op::clear_cpuset("cg_0"))
                  .hold(Hold::frac(0.3))
                  .label("cleared")});
}

// Cgroups come and go beside a steady one, every 200 ms.
KTSTR_TEST(cgroup_churn, .topology = {.cores = 4}, .duration = 2s) {
  return run(ctx, Backdrop{}.cgroup(Cgroup{"steady"}),
             {Step{}
                  .op(Op::remove_cgroup("guest"))
                  .op(Op::add_cgroup("guest"))
                  .op(Op::spawn(
                      "guest", Work{}.workers(2).type(WorkType::yield_heavy())))
                  .hold(Hold::loop(200ms))});
}

}  // namespace
