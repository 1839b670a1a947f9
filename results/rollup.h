// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_ROLLUP_H_
#define KTSTR_RESULTS_ROLLUP_H_

#include <cstdint>
#include <optional>

#include "google/protobuf/repeated_ptr_field.h"

namespace ktstr::v1 {
class GroupStats;
}  // namespace ktstr::v1

namespace ktstr::results {

// The work groups of one scenario as one line: counts are sums, "worst" is the
// highest value, except that fewer iterations and local pages are worse. Absent
// means that no group measured it.
struct Rollup {
  int64_t total_workers = 0;
  int64_t total_cpus = 0;  // sum over groups, not de-duplicated
  int64_t total_migrations = 0;
  int64_t total_iterations = 0;
  std::optional<double> worst_spread_pct;
  std::optional<double> worst_gap_ms;
  std::optional<int32_t> worst_gap_cpu;  // travels with worst_gap_ms
  std::optional<double> worst_migration_ratio;
  std::optional<double> worst_p99_wake_latency_us;
  std::optional<double> worst_median_wake_latency_us;
  std::optional<double> worst_wake_latency_cv;
  std::optional<double> worst_wake_latency_tail_ratio;  // p99 / median
  std::optional<double> worst_mean_run_delay_us;
  std::optional<double> worst_run_delay_us;
  std::optional<double> worst_cross_node_migration_ratio;
  std::optional<double> worst_page_locality;  // lowest
  // Lowest that is not zero.
  std::optional<double> worst_iterations_per_worker;
};

Rollup RollUp(const google::protobuf::RepeatedPtrField<v1::GroupStats>& groups);

// p99 over median wake latency; absent without both or with a zero median.
std::optional<double> WakeLatencyTailRatio(const v1::GroupStats& group);
// Absent for a group without workers.
std::optional<double> IterationsPerWorker(const v1::GroupStats& group);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_ROLLUP_H_
