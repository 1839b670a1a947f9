// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <algorithm>
#include <utility>
#include <vector>

#include "ktstr/catalog/bodies.h"
#include "ktstr/catalog/scene.h"
#include "ktstr/scenario.h"

namespace ktstr::catalog {
namespace {

Step SetBoth(double border, Hold hold) {
  return Step{}
      .op(Op::set_cpuset("cg_0", CpuSet::range(0, border)))
      .op(Op::set_cpuset("cg_1", CpuSet::range(border, 1)))
      .hold(hold);
}

Step AffinityOfBoth(const Affinity& affinity, Hold hold) {
  return Step{}
      .op(Op::set_affinity("cg_0", affinity))
      .op(Op::set_affinity("cg_1", affinity))
      .hold(hold);
}

}  // namespace

absl::StatusOr<Verdict> Steady(const Context& ctx, const Checks& checks) {
  return run_cgroups(ctx, {Cgroup{"cg_0"}, Cgroup{"cg_1"}}, checks);
}

absl::StatusOr<Verdict> SteadyLlc(const Context& ctx, const Checks& checks) {
  return run_cgroups(ctx,
                     {Cgroup{"cg_0"}.cpus(CpuSet::llc(0)),
                      Cgroup{"cg_1"}.cpus(CpuSet::llc(1))},
                     checks);
}

absl::StatusOr<Verdict> Oversubscribed(const Context& ctx,
                                       const Checks& checks) {
  const Work crowd = Of(32, WorkType::mixed());
  return run_cgroups(
      ctx, {Cgroup{"cg_0"}.work(crowd), Cgroup{"cg_1"}.work(crowd)}, checks);
}

absl::StatusOr<Verdict> CpusetApply(const Context& ctx, const Checks& checks) {
  return run(ctx, Working(2),
             {Step{}.hold(Settled(ctx, .5)).label("free"),
              Step{}
                  .op(Op::set_cpuset("cg_0", CpuSet::disjoint(0, 2)))
                  .op(Op::set_cpuset("cg_1", CpuSet::disjoint(1, 2)))
                  .hold(Hold::frac(.5))
                  .label("confined")},
             checks);
}

absl::StatusOr<Verdict> CpusetClear(const Context& ctx, const Checks& checks) {
  return run(ctx, Halves(),
             {Step{}.hold(Settled(ctx, .5)).label("confined"),
              Step{}
                  .op(Op::clear_cpuset("cg_0"))
                  .op(Op::clear_cpuset("cg_1"))
                  .hold(Hold::frac(.5))
                  .label("free")},
             checks);
}

absl::StatusOr<Verdict> CpusetResize(const Context& ctx, const Checks& checks) {
  Backdrop halves = Backdrop{}
                        .cgroup(Cgroup{"cg_0"}.cpus(CpuSet::range(0, .5)))
                        .cgroup(Cgroup{"cg_1"}.cpus(CpuSet::range(.5, 1)));
  return run(ctx, std::move(halves),
             {Step{}.hold(Settled(ctx, 1. / 3)).label("halves"),
              SetBoth(.25, Hold::frac(1. / 3)).label("a quarter"),
              SetBoth(.75, Hold::frac(1. / 3)).label("three quarters")},
             checks);
}

absl::StatusOr<Verdict> CgroupAdd(const Context& ctx, const Checks& checks) {
  Step joined;
  for (int i = 0; i < std::min(2, TotalCpus(ctx) - 3); ++i) {
    joined.cgroup(Cgroup{Cg(2 + i)});
  }
  return run(ctx, Working(2),
             {Step{}.hold(Settled(ctx, .5)).label("two"),
              joined.hold(Hold::frac(.5)).label("joined")},
             checks);
}

absl::StatusOr<Verdict> CgroupRemove(const Context& ctx, const Checks& checks) {
  const int n = std::min(4, TotalCpus(ctx) - 1);
  Step all;
  for (int i = n / 2; i < n; ++i) all.cgroup(Cgroup{Cg(i)});
  // What a step made ends with it.
  return run(ctx, Working(n / 2),
             {all.hold(Settled(ctx, .5)).label("all"),
              Step{}.hold(Hold::frac(.5)).label("half of them")},
             checks);
}

absl::StatusOr<Verdict> AffinityChange(const Context& ctx,
                                       const Checks& checks) {
  std::vector<Step> steps = {Step{}.hold(Settled(ctx, .2)).label("anywhere")};
  for (int i = 0; i < 4; ++i) {
    steps.push_back(AffinityOfBoth(Affinity::random_subset(), Hold::frac(.2)));
  }
  return run(ctx, Working(2), std::move(steps), checks);
}

absl::StatusOr<Verdict> AffinityPinned(const Context& ctx,
                                       const Checks& checks) {
  const std::vector<int> first = FirstTwo(ctx.topology().all_cpus());
  std::vector<Step> steps;
  if (ctx.settle().count() > 0) {
    steps.push_back(Step{}.hold(ctx.settle()).label("anywhere"));
  }
  steps.push_back(
      AffinityOfBoth(Affinity::exact(first), Hold::full()).label("pinned"));
  return run(ctx, Working(2), std::move(steps), checks);
}

absl::StatusOr<Verdict> HostContention(const Context& ctx,
                                       const Checks& checks) {
  return run(ctx, Working(2).op(Op::spawn_host(Spinners(TotalCpus(ctx)))),
             {Step{}.hold(Settled(ctx, 1))}, checks);
}

absl::StatusOr<Verdict> MixedWorkloads(const Context& ctx,
                                       const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}.workers(8))
                 .cgroup(Cgroup{"cg_1"}.type(Bursty(100ms, 50ms)))
                 .cgroup(Cgroup{"cg_2"}.type(WorkType::io_sync())),
             {Step{}.hold(Settled(ctx, 1))}, checks);
}

absl::StatusOr<Verdict> NestedSteady(const Context& ctx, const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0/sub_a"})
                 .cgroup(Cgroup{"cg_0/sub_b"})
                 .cgroup(Cgroup{"cg_1/sub_b"})
                 .cgroup(Cgroup{"cg_1/sub_a/deep"}),
             {Step{}.hold(After(ctx, 2s, 1))}, checks);
}

absl::StatusOr<Verdict> NestedTaskMove(const Context& ctx,
                                       const Checks& checks) {
  auto move = [](const char* from, const char* to) {
    return Step{}
        .op(Op::move_all_tasks(from, to))
        .hold(Hold::frac(.25))
        .label(std::string("into ") + to);
  };
  return run(ctx,
             Backdrop{}
                 .op(Op::add_cgroup("cg_0"))
                 .op(Op::add_cgroup("cg_0/sub"))
                 .op(Op::add_cgroup("cg_1"))
                 .op(Op::add_cgroup("cg_1/sub"))
                 .op(Op::spawn("cg_0/sub", Work{})),
             {Step{}.hold(After(ctx, 2s, .25)).label("in cg_0/sub"),
              move("cg_0/sub", "cg_0"), move("cg_0", "cg_1/sub"),
              move("cg_1/sub", "cg_1")},
             checks);
}

}  // namespace ktstr::catalog
