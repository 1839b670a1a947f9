// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/catalog/entry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "ktstr/catalog/scene.h"
#include "ktstr/scenario.h"

namespace ktstr::catalog {
namespace {

// The cgroups exist before anybody works in them, so that a scheduler has seen
// them first.
absl::StatusOr<Verdict> PlaySteady(const Context& ctx, const Entry& entry,
                                   const Checks& checks) {
  absl::StatusOr<std::vector<std::vector<int>>> sets =
      entry.partition.Resolve(ctx.topology(), entry.cgroups);
  if (!sets.ok()) return skip(std::string(sets.status().message()));
  std::vector<Work> works;
  if (entry.work != nullptr) works = entry.work(ctx);
  Backdrop backdrop;
  Step step;
  for (int i = 0; i < entry.cgroups; ++i) {
    backdrop.op(Op::add_cgroup(Cg(i)));
    if (i < static_cast<int>(sets->size())) {
      backdrop.op(Op::set_cpuset(Cg(i), CpuSet::exact((*sets)[i])));
    }
    const Work work = works.empty()                        ? Work{}
                      : i < static_cast<int>(works.size()) ? works[i]
                                                           : works[0];
    const bool is_plain = work.work_type().kind == WorkType::Kind::kCpuSpin;
    step.op(Op::spawn(Cg(i), is_plain ? ctx.swapped(work) : work));
  }
  std::vector<Step> steps;
  if (ctx.settle().count() > 0) {
    steps.push_back(Step{}.hold(ctx.settle()).label("settling"));
  }
  steps.push_back(step.label("steady"));
  return run(ctx, std::move(backdrop), std::move(steps), checks);
}

std::optional<std::string> Lack(const char* what, int needed, int present) {
  if (present >= needed) return std::nullopt;
  return absl::StrCat("needs ", needed, " ", what, ", the machine has ",
                      present);
}

}  // namespace

std::optional<std::string> Needs::LackedBy(const GuestTopology& machine) const {
  if (auto lack = Lack("CPUs", cpus, machine.total_cpus())) return lack;
  if (auto lack = Lack("LLCs", llcs, machine.num_llcs())) return lack;
  int with_cpus = 0;
  for (const NumaNode& node : machine.nodes()) {
    if (!node.cpus.empty()) ++with_cpus;
  }
  return Lack("NUMA nodes with CPUs", nodes, with_cpus);
}

absl::StatusOr<Verdict> Play(const Context& ctx, const Entry& entry) {
  if (auto lack = entry.needs.LackedBy(ctx.topology())) {
    return skip(*std::move(lack));
  }
  Checks checks = ctx.checks().With(entry.checks);
  if (ctx.profile().subtracts_stolen_time && entry.overcommitted_spread_pct) {
    checks.max_spread_pct = entry.overcommitted_spread_pct;
  }
  return entry.body != nullptr ? entry.body(ctx, checks)
                               : PlaySteady(ctx, entry, checks);
}

}  // namespace ktstr::catalog
