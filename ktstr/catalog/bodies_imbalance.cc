// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <utility>
#include <vector>

#include "ktstr/catalog/bodies.h"
#include "ktstr/catalog/scene.h"
#include "ktstr/scenario.h"

namespace ktstr::catalog {
namespace {

// After `lead` the workers of cgroup `a` go to `b` and back, `moves` times in
// all; each stay lasts a part of the duration, the last one twice that.
std::vector<Step> MovingBetween(const std::string& a, const std::string& b,
                                int moves, double part,
                                std::chrono::nanoseconds lead) {
  std::vector<Step> steps;
  if (lead.count() > 0) steps.push_back(Step{}.hold(lead).label("at home"));
  for (int i = 0; i < moves; ++i) {
    steps.push_back(Step{}
                        .op(i % 2 == 0 ? Op::move_all_tasks(a, b)
                                       : Op::move_all_tasks(b, a))
                        .hold(Hold::frac(part))
                        .label("in " + (i % 2 == 0 ? b : a)));
  }
  steps.push_back(Step{}.hold(Hold::frac(part)).label("staying"));
  return steps;
}

}  // namespace

absl::StatusOr<Verdict> ChangeImbalance(const Context& ctx,
                                        const Checks& checks) {
  const std::vector<int> usable = ctx.topology().usable_cpus();
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}
                             .cpus(CpuSet::disjoint(0, 2))
                             .workers(2 * (UsableCpus(ctx) / 2)))
                 .cgroup(Cgroup{"cg_1"}
                             .cpus(CpuSet::disjoint(1, 2))
                             .work(Of(2, Bursty(30ms, 100ms)))),
             {Step{}.hold(Settled(ctx, 1. / 3)).label("halves"),
              Step{}
                  .op(Op::set_cpuset("cg_0", CpuSet::exact({usable[0]})))
                  .hold(Hold::frac(1. / 3))
                  .label("narrowed to one CPU"),
              Step{}
                  .op(Op::set_cpuset("cg_0", CpuSet::exact(usable)))
                  .hold(Hold::frac(1. / 3))
                  .label("widened")},
             checks);
}

absl::StatusOr<Verdict> LoadShift(const Context& ctx, const Checks& checks) {
  return run(
      ctx,
      Backdrop{}
          .cgroup(Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 2)).workers(16))
          .cgroup(
              Cgroup{"cg_1"}.cpus(CpuSet::disjoint(1, 2)).work(OneYielder())),
      {Step{}.hold(Settled(ctx, .5)).label("one side"),
       Step{}
           .op(Op::spawn("cg_1", Spinners(16)))
           .hold(Hold::frac(.5))
           .label("both sides")},
      checks);
}

absl::StatusOr<Verdict> AddLoad(const Context& ctx, const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}.work(OneYielder()))
                 .cgroup(Cgroup{"cg_1"}.work(OneYielder())),
             {Step{}.hold(Settled(ctx, .5)).label("light"),
              Step{}
                  .cgroup(Cgroup{"cg_2"}.workers(16))
                  .hold(Hold::frac(.5))
                  .label("heavy joined")},
             checks);
}

absl::StatusOr<Verdict> LoadOscillation(const Context& ctx,
                                        const Checks& checks) {
  std::vector<Step> steps;
  for (int i = 0; i < 4; ++i) {
    steps.push_back(
        Step{}
            .op(Op::spawn(Cg(i % 2), Spinners(2 * ctx.workers_per_cgroup())))
            .op(Op::spawn(Cg(1 - i % 2), OneYielder()))
            .hold(i == 0 ? Settled(ctx, .25) : Hold::frac(.25))
            .label("heavy in " + Cg(i % 2)));
  }
  return run(ctx,
             Backdrop{}.op(Op::add_cgroup("cg_0")).op(Op::add_cgroup("cg_1")),
             std::move(steps), checks);
}

absl::StatusOr<Verdict> TaskMigration(const Context& ctx,
                                      const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"})
                 .cgroup(Cgroup{"cg_mobile"})
                 .op(Op::add_cgroup("cg_1")),
             MovingBetween("cg_mobile", "cg_1", 9, .1, Lead(ctx, 2s)), checks);
}

absl::StatusOr<Verdict> NestedApart(const Context& ctx, const Checks& checks) {
  return run(
      ctx,
      Backdrop{}.cgroup(Cgroup{"cg_0/sub_a/deep"}).cgroup(Cgroup{"cg_1/sub_b"}),
      {Step{}.hold(After(ctx, 2s, 1))}, checks);
}

absl::StatusOr<Verdict> MobileImbalance(const Context& ctx,
                                        const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_heavy"}.workers(6))
                 .cgroup(Cgroup{"cg_light"}.work(Of(2, Bursty(50ms, 100ms))))
                 .cgroup(Cgroup{"cg_mobile"}.workers(2))
                 .op(Op::add_cgroup("cg_overflow")),
             MovingBetween("cg_mobile", "cg_overflow", 5, 1. / 6, ctx.settle()),
             checks);
}

absl::StatusOr<Verdict> CpusetSwapHalfway(const Context& ctx,
                                          const Checks& checks) {
  return run(
      ctx, Halves(),
      {Step{}.hold(Settled(ctx, .5)).label("apart"), SwapStep(Hold::frac(.5))},
      checks);
}

absl::StatusOr<Verdict> AddDuringImbalance(const Context& ctx,
                                           const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}.workers(8))
                 .cgroup(Cgroup{"cg_1"}.work(Of(2, Bursty(50ms, 100ms)))),
             {Step{}.hold(Settled(ctx, .5)).label("uneven"),
              Step{}
                  .cgroup(Cgroup{"cg_2"}.workers(4))
                  .hold(Hold::frac(.5))
                  .label("one more")},
             checks);
}

absl::StatusOr<Verdict> NestedImbalance(const Context& ctx,
                                        const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0/sub"}.workers(8))
                 .cgroup(Cgroup{"cg_1/sub"}.work(Of(2, Bursty(50ms, 100ms)))),
             {Step{}.hold(After(ctx, 2s, 1))}, checks);
}

}  // namespace ktstr::catalog
