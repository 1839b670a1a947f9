// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "ktstr/catalog/bodies.h"
#include "ktstr/catalog/scene.h"
#include "ktstr/scenario.h"

namespace ktstr::catalog {
namespace {

constexpr double kPinnedGapLimitMs = 1500;
constexpr char kPinned[] = "pinned_";

}  // namespace

absl::StatusOr<Verdict> PerCpu(const Context& ctx, const Checks& checks) {
  const std::vector<int>& all = ctx.topology().all_cpus();
  Backdrop backdrop;
  for (int i = 0; i < std::min(TotalCpus(ctx) - 1, 64); ++i) {
    backdrop.cgroup(Cgroup{Cg(i)}.cpus(CpuSet::exact({all[i]})).workers(1));
  }
  return run(ctx, std::move(backdrop), {Step{}.hold(After(ctx, 1s, 1))},
             checks);
}

absl::StatusOr<Verdict> DsqContention(const Context& ctx,
                                      const Checks& checks) {
  const std::vector<int>& all = ctx.topology().all_cpus();
  const int others = TotalCpus(ctx) - 1;
  Backdrop backdrop = Backdrop{}.cgroup(
      Cgroup{"cg_0"}.work(Of(std::max(8, 3 * others), Bursty(10ms, 5ms))));
  for (int i = 0; i < std::min(others, 4); ++i) {
    backdrop.cgroup(Cgroup{kPinned + std::to_string(i)}
                        .cpus(CpuSet::exact({all[i]}))
                        .workers(1));
  }
  ABSL_ASSIGN_OR_RETURN(
      Verdict verdict,
      run(ctx, std::move(backdrop), {Step{}.hold(Settled(ctx, 1))}, checks));
  std::vector<Finding> late;
  for (const GroupStats& group : verdict.groups) {
    if (!absl::StartsWith(group.cgroup, kPinned)) continue;
    if (group.max_gap_ms.value_or(0) <= kPinnedGapLimitMs) continue;
    late.push_back({.kind = FindingKind::kStuck,
                    .message = absl::StrFormat(
                        "a pinned worker made no progress for %.0f ms "
                        "(limit %.0f)",
                        *group.max_gap_ms, kPinnedGapLimitMs),
                    .cgroup = group.cgroup});
  }
  for (Finding& finding : late) verdict.Add(std::move(finding));
  return verdict;
}

absl::StatusOr<Verdict> CpusetVariety(const Context& ctx,
                                      const Checks& checks) {
  Backdrop backdrop;
  for (int i = 0; i < 3; ++i) {
    backdrop.cgroup(
        Cgroup{Cg(i)}.cpus(CpuSet::disjoint(i, 3)).work(Diverse(i)));
  }
  return run(ctx, std::move(backdrop), {Step{}.hold(Settled(ctx, 1))}, checks);
}

absl::StatusOr<Verdict> DynamicVariety(const Context& ctx,
                                       const Checks& checks) {
  Backdrop backdrop;
  for (int i = 0; i < 3; ++i) {
    backdrop.cgroup(Cgroup{Cg(i)}.work(Diverse(i)));
  }
  return run(ctx, std::move(backdrop),
             {Step{}.hold(Settled(ctx, 1. / 3)).label("three"),
              Step{}
                  .cgroup(Cgroup{"cg_3"}.work(Of(4, Bursty(100ms, 50ms))))
                  .hold(Hold::frac(1. / 3))
                  .label("four"),
              Step{}.hold(Hold::frac(1. / 3)).label("three again")},
             checks);
}

absl::StatusOr<Verdict> CrossLlcRace(const Context& ctx, const Checks& checks) {
  std::vector<int> first = ctx.topology().cpus_in_llc(0);
  if (first.size() > 1) first.pop_back();
  const std::vector<int> second = ctx.topology().cpus_in_llc(1);
  auto crowd = [](const std::vector<int>& llc) {
    return Of(std::max(4, static_cast<int>(llc.size())) * 8, WorkType::mixed());
  };
  std::vector<Step> steps = {
      Step{}.hold(Hold::fixed(Lead(ctx, 2s))).label("apart")};
  const int swaps = std::max<int>(1, static_cast<int>(ctx.duration() / 200ms));
  for (int i = 0; i < swaps; ++i) steps.push_back(SwapStep(200ms));
  return run(
      ctx,
      Backdrop{}
          .cgroup(Cgroup{"cg_0"}
                      .cpus(CpuSet::exact(first))
                      .work(crowd(ctx.topology().cpus_in_llc(0))))
          .cgroup(
              Cgroup{"cg_1"}.cpus(CpuSet::exact(second)).work(crowd(second))),
      std::move(steps), checks);
}

}  // namespace ktstr::catalog
