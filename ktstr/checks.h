// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_CHECKS_H_
#define KTSTR_KTSTR_CHECKS_H_

#include <cstdint>
#include <optional>

namespace ktstr {

// Thresholds a scenario's workers are judged by. A maximum fails only when
// strictly exceeded, a minimum only when strictly undercut. Unset is a third
// state: the layer below decides. Formulas and examples: docs/checks.md.
//
//   KTSTR_TEST(tight, .checks = {.isolation = true, .max_gap_ms = 500}) { ... }
//
// Designated initialisers follow the order of declaration:
struct Checks {
  // Starvation bundle: no worker without work, off-CPU spread, gaps.
  // Default true.
  std::optional<bool> not_starved;
  // No worker is seen on a CPU outside its cpuset of that moment.
  std::optional<bool> isolation;
  // Longest time one worker made no progress. Default by profile: 2000, on an
  // overcommitted host 3000.
  std::optional<uint64_t> max_gap_ms;
  // Largest difference of off-CPU percentages inside a work group. Default by
  // profile: 15, on an overcommitted host 35.
  std::optional<double> max_spread_pct;
  // Coefficient of variation of the workers' work rates.
  std::optional<double> max_throughput_cv;
  // Work units per CPU-second, each worker.
  std::optional<double> min_work_rate;
  // Nanoseconds, pooled over the group's workers.
  std::optional<uint64_t> max_p99_wake_latency_ns;
  std::optional<double> max_wake_latency_cv;
  // Iterations per wall second, each worker.
  std::optional<double> min_iteration_rate;
  // Migrations per iteration, whole group.
  std::optional<double> max_migration_ratio;
  // Share of a worker's pages on the nodes of its memory policy, else of its
  // cpuset.
  std::optional<double> min_page_locality;
  // Pages the kernel moved between nodes while a worker ran, for each page that
  // it has.
  std::optional<double> max_cross_node_migration_ratio;
  // Share of a worker's pages on memory-only nodes that are not among those.
  std::optional<double> max_slow_tier_ratio;
  // True: a set threshold that nothing in the scenario could be judged by does
  // not fail the test. Default false.
  std::optional<bool> tolerate_not_evaluated;

  // The lowest layer: not_starved only.
  static constexpr Checks Defaults() { return {.not_starved = true}; }

  // Field by field, a set value of `upper` wins.
  constexpr Checks With(const Checks& upper) const;

  friend bool operator==(const Checks&, const Checks&) = default;
};

// Limits that apply where nothing is set, and the clock they are applied to.
struct JudgingProfile {
  uint64_t max_gap_ms = 2000;
  double max_spread_pct = 15;
  // Time the host took away is subtracted from off-CPU time and gaps first.
  bool subtracts_stolen_time = false;
  // A spread is only beyond its limit by more than this much of what it left: a
  // few slices (20 ms is the default one of sched_ext) are no difference. Where
  // a group had several CPUs, by the second beside it: a load balancer evens
  // out what it finds when it comes by.
  uint64_t slice_slack_ms = 0;
  uint64_t balance_slack_ms = 0;

  static constexpr JudgingProfile Strict() { return {}; }
  // The host has fewer CPUs than the guest, which has `cpus`. The kernel
  // balances N busy CPUs every 16 * N ms, at worst every 32 * N
  // (kernel/sched/fair.c, get_sd_balance_interval); granted are two rounds.
  static constexpr JudgingProfile Overcommitted(int cpus) {
    return {.max_gap_ms = 3000,
            .max_spread_pct = 35,
            .subtracts_stolen_time = true,
            .slice_slack_ms = 60,
            .balance_slack_ms = 64 * static_cast<uint64_t>(cpus)};
  }
};

// Implementation below.

constexpr Checks Checks::With(const Checks& upper) const {
  Checks merged = *this;
  auto take = [](auto& field, const auto& above) {
    if (above.has_value()) field = above;
  };
  take(merged.not_starved, upper.not_starved);
  take(merged.isolation, upper.isolation);
  take(merged.max_gap_ms, upper.max_gap_ms);
  take(merged.max_spread_pct, upper.max_spread_pct);
  take(merged.max_throughput_cv, upper.max_throughput_cv);
  take(merged.min_work_rate, upper.min_work_rate);
  take(merged.max_p99_wake_latency_ns, upper.max_p99_wake_latency_ns);
  take(merged.max_wake_latency_cv, upper.max_wake_latency_cv);
  take(merged.min_iteration_rate, upper.min_iteration_rate);
  take(merged.max_migration_ratio, upper.max_migration_ratio);
  take(merged.min_page_locality, upper.min_page_locality);
  take(merged.max_cross_node_migration_ratio,
       upper.max_cross_node_migration_ratio);
  take(merged.max_slow_tier_ratio, upper.max_slow_tier_ratio);
  take(merged.tolerate_not_evaluated, upper.tolerate_not_evaluated);
  return merged;
}

}  // namespace ktstr

#endif  // KTSTR_KTSTR_CHECKS_H_
