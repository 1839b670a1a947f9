// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/rollup.h"

#include "proto/outcome.pb.h"

namespace ktstr::results {
namespace {

void KeepHighest(bool has_value, double value, std::optional<double>& worst) {
  if (has_value && (!worst || value > *worst)) worst = value;
}

void KeepHighest(std::optional<double> value, std::optional<double>& worst) {
  KeepHighest(value.has_value(), value.value_or(0), worst);
}

void AddWakeLatency(const v1::GroupStats& group, Rollup& rollup) {
  KeepHighest(group.has_p99_wake_latency_us(), group.p99_wake_latency_us(),
              rollup.worst_p99_wake_latency_us);
  KeepHighest(group.has_median_wake_latency_us(),
              group.median_wake_latency_us(),
              rollup.worst_median_wake_latency_us);
  KeepHighest(group.has_wake_latency_cv(), group.wake_latency_cv(),
              rollup.worst_wake_latency_cv);
  KeepHighest(WakeLatencyTailRatio(group),
              rollup.worst_wake_latency_tail_ratio);
}

void AddGroup(const v1::GroupStats& group, Rollup& rollup) {
  rollup.total_workers += group.workers();
  rollup.total_cpus += group.cpus();
  rollup.total_migrations += group.migrations();
  rollup.total_iterations += group.iterations();
  KeepHighest(group.has_spread_pct(), group.spread_pct(),
              rollup.worst_spread_pct);
  if (group.has_max_gap_ms() &&
      (!rollup.worst_gap_ms || group.max_gap_ms() > *rollup.worst_gap_ms)) {
    rollup.worst_gap_ms = group.max_gap_ms();
    rollup.worst_gap_cpu.reset();
    if (group.has_max_gap_cpu()) rollup.worst_gap_cpu = group.max_gap_cpu();
  }
  KeepHighest(group.has_migration_ratio(), group.migration_ratio(),
              rollup.worst_migration_ratio);
  KeepHighest(group.has_cross_node_migration_ratio(),
              group.cross_node_migration_ratio(),
              rollup.worst_cross_node_migration_ratio);
  if (group.has_page_locality() &&
      group.page_locality() < rollup.worst_page_locality.value_or(2)) {
    rollup.worst_page_locality = group.page_locality();
  }
  AddWakeLatency(group, rollup);
  KeepHighest(group.has_mean_run_delay_us(), group.mean_run_delay_us(),
              rollup.worst_mean_run_delay_us);
  KeepHighest(group.has_worst_run_delay_us(), group.worst_run_delay_us(),
              rollup.worst_run_delay_us);
  std::optional<double> per_worker = IterationsPerWorker(group);
  std::optional<double>& worst = rollup.worst_iterations_per_worker;
  if (per_worker && *per_worker > 0 && (!worst || *per_worker < *worst)) {
    worst = per_worker;
  }
}

}  // namespace

Rollup RollUp(
    const google::protobuf::RepeatedPtrField<v1::GroupStats>& groups) {
  Rollup rollup;
  for (const v1::GroupStats& group : groups) AddGroup(group, rollup);
  return rollup;
}

std::optional<double> WakeLatencyTailRatio(const v1::GroupStats& group) {
  if (!group.has_p99_wake_latency_us() || !group.has_median_wake_latency_us() ||
      group.median_wake_latency_us() <= 0) {
    return std::nullopt;
  }
  return group.p99_wake_latency_us() / group.median_wake_latency_us();
}

std::optional<double> IterationsPerWorker(const v1::GroupStats& group) {
  if (group.workers() <= 0) return std::nullopt;
  return static_cast<double>(group.iterations()) / group.workers();
}

}  // namespace ktstr::results
