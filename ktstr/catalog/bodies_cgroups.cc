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

// As many steps of `each` as fit the duration, one at least.
int StepsOf(const Context& ctx, std::chrono::nanoseconds each) {
  return std::max<int>(1, static_cast<int>(ctx.duration() / each));
}

}  // namespace

absl::StatusOr<Verdict> NumaSwap(const Context& ctx, const Checks& checks) {
  std::vector<int> nodes;
  for (const NumaNode& node : ctx.topology().nodes()) {
    if (!node.cpus.empty()) nodes.push_back(node.id);
  }
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}.cpus(CpuSet::numa(nodes[0])))
                 .cgroup(Cgroup{"cg_1"}.cpus(CpuSet::numa(nodes[1]))),
             {Step{}.hold(Settled(ctx, .5)).label("at home"),
              SwapStep(Hold::frac(.5))},
             checks);
}

absl::StatusOr<Verdict> SwapDisjoint(const Context& ctx, const Checks& checks) {
  return run(ctx, Halves(),
             {Step{}.hold(Settled(ctx, 1. / 3)).label("apart"),
              SwapStep(Hold::frac(1. / 3)),
              SwapStep(Hold::frac(1. / 3)).label("swapped back")},
             checks);
}

absl::StatusOr<Verdict> SchedMixed(const Context& ctx, const Checks& checks) {
  std::vector<Cgroup> cgroups;
  for (int i = 0; i < 2; ++i) {
    cgroups.push_back(
        Cgroup{Cg(i)}
            .work(Spinners(2))
            .work(Spinners(2).policy(SchedPolicy::batch()))
            .work(Spinners(2).policy(SchedPolicy::idle()))
            .work(Of(2, Bursty(500ms, 250ms)).policy(SchedPolicy::fifo(1))));
  }
  return run_cgroups(ctx, std::move(cgroups), checks);
}

absl::StatusOr<Verdict> PipeIo(const Context& ctx, const Checks& checks) {
  std::vector<Cgroup> cgroups;
  for (int i = 0; i < 2; ++i) {
    cgroups.push_back(
        Cgroup{Cg(i)}.work(Of(2, WorkType::pipe_io())).work(Work{}));
  }
  return run_cgroups(ctx, std::move(cgroups), checks);
}

absl::StatusOr<Verdict> RapidChurn(const Context& ctx, const Checks& checks) {
  return run(ctx, Working(2),
             {Step{}
                  .op(Op::remove_cgroup("brief"))
                  .op(Op::add_cgroup("brief"))
                  .hold(Hold::loop(100ms))
                  .label("coming and going")},
             checks);
}

absl::StatusOr<Verdict> NestedRapidChurn(const Context& ctx,
                                         const Checks& checks) {
  std::vector<Step> steps;
  for (int i = 0; i < StepsOf(ctx, 50ms); ++i) {
    const std::string brief = "cg_0/brief_" + std::to_string(i);
    Step step = Step{}.op(Op::add_cgroup(brief)).hold(Hold::fixed(50ms));
    if (i % 3 == 2) step.op(Op::add_cgroup(brief + "/deep"));
    steps.push_back(std::move(step));
  }
  return run(ctx,
             Backdrop{}.cgroup(Cgroup{"cg_0/steady"}).cgroup(Cgroup{"cg_1"}),
             std::move(steps), checks);
}

absl::StatusOr<Verdict> NestedCpuset(const Context& ctx, const Checks& checks) {
  const std::vector<int>& all = ctx.topology().all_cpus();
  std::vector<int> half(all.begin(), all.begin() + all.size() / 2);
  std::vector<int> quarter(all.begin(), all.begin() + all.size() / 4);
  return run(ctx,
             Backdrop{}
                 .op(Op::add_cgroup("cg_0"))
                 .op(Op::set_cpuset("cg_0", CpuSet::exact(half))),
             {Step{}.hold(Hold::fixed(Lead(ctx, 2s))).label("half"),
              Step{}
                  .cgroup(Cgroup{"cg_0/narrow"}.cpus(CpuSet::exact(quarter)))
                  .label("a quarter below it")},
             checks);
}

// All on the Backdrop: the cgroups that stay do so across the steps.
absl::StatusOr<Verdict> ExhaustReuse(const Context& ctx, const Checks& checks) {
  const std::vector<int>& all = ctx.topology().all_cpus();
  const int n = std::min<int>(static_cast<int>(all.size()) - 1, 15);
  Backdrop staying;
  Step full;
  Step reused;
  for (int i = 0; i < n; ++i) {
    const CpuSet cpu = CpuSet::exact({all[i]});
    if (i < n / 2) {
      full.op(Op::add_cgroup(Cg(i))).op(Op::set_cpuset(Cg(i), cpu));
      reused.cgroup(Cgroup{Cg(i)}.cpus(cpu).workers(1));
    } else {
      staying.op(Op::add_cgroup(Cg(i))).op(Op::set_cpuset(Cg(i), cpu));
    }
  }
  return run(ctx, std::move(staying),
             {full.hold(Hold::fixed(Lead(ctx, 1s))).label("full"),
              Step{}.hold(Hold::fixed(Lead(ctx, 1s))).label("half removed"),
              reused.label("reused")},
             checks);
}

absl::StatusOr<Verdict> CpusetAddRemove(const Context& ctx,
                                        const Checks& checks) {
  return run(ctx,
             Backdrop{}
                 .cgroup(Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 3)))
                 .cgroup(Cgroup{"cg_1"}.cpus(CpuSet::disjoint(1, 3))),
             {Step{}.hold(Settled(ctx, 1. / 3)).label("two"),
              Step{}
                  .cgroup(Cgroup{"cg_2"}.cpus(CpuSet::disjoint(2, 3)))
                  .hold(Hold::frac(1. / 3))
                  .label("three"),
              Step{}.hold(Hold::frac(1. / 3)).label("two again")},
             checks);
}

}  // namespace ktstr::catalog
