// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/thread_reports.h"

#include <algorithm>
#include <utility>

#include "ktstr/internal/seed.h"

namespace ktstr::internal {
namespace {

void AddCounts(const WorkerReport& from, WorkerReport& to) {
  to.work_units += from.work_units;
  to.iterations += from.iterations;
  to.cpu_time_ns += from.cpu_time_ns;
  to.wall_time_ns += from.wall_time_ns;
  to.off_cpu_ns += from.off_cpu_ns;
  to.blocked_ns += from.blocked_ns;
  to.stolen_ns += from.stolen_ns;
  to.frozen_ns += from.frozen_ns;
  to.migration_count += from.migration_count;
  to.wake_sample_total += from.wake_sample_total;
  to.has_schedstat = to.has_schedstat && from.has_schedstat;
  to.schedstat_cpu_ns += from.schedstat_cpu_ns;
  to.schedstat_run_delay_ns += from.schedstat_run_delay_ns;
  to.schedstat_run_count += from.schedstat_run_count;
}

void KeepLongerGap(const WorkerReport& from, WorkerReport& to) {
  if (from.max_gap_ns <= to.max_gap_ns) return;
  to.max_gap_ns = from.max_gap_ns;
  to.max_gap_cpu = from.max_gap_cpu;
  to.max_gap_at_ns = from.max_gap_at_ns;
  to.max_gap_stolen_ns = from.max_gap_stolen_ns;
}

void JoinPlaces(const WorkerReport& from, WorkerReport& to) {
  for (const Migration& migration : from.migrations) {
    if (to.migrations.size() == WorkerReport::kMaxMigrations) break;
    to.migrations.push_back(migration);
  }
  for (const Residence& residence : from.residences) {
    if (to.residences.size() == WorkerReport::kMaxResidences) break;
    if (std::find(to.residences.begin(), to.residences.end(), residence) ==
        to.residences.end()) {
      to.residences.push_back(residence);
    }
  }
}

// A uniform sample of `keep` of them.
void Thin(std::vector<uint64_t>& sample, size_t keep, SeededStream& random) {
  if (keep >= sample.size()) return;
  for (size_t i = 0; i < keep; ++i) {
    std::swap(sample[i], sample[i + random.Below(sample.size() - i)]);
  }
  sample.resize(keep);
}

// Each thread's sample stands for as many as it had: cut to equal rates.
std::vector<uint64_t> JoinLatencies(std::vector<WorkerReport>& reports,
                                    uint64_t total, SeededStream random) {
  size_t kept = 0;
  double rate = 1;
  for (const WorkerReport& report : reports) {
    kept += report.resume_latencies_ns.size();
    if (report.wake_sample_total > 0) {
      rate = std::min(rate,
                      static_cast<double>(report.resume_latencies_ns.size()) /
                          static_cast<double>(report.wake_sample_total));
    }
  }
  const double limit = static_cast<double>(WorkerReport::kMaxLatencies);
  rate =
      std::min(rate, limit / static_cast<double>(std::max<uint64_t>(1, total)));
  std::vector<uint64_t> joined;
  for (WorkerReport& report : reports) {
    std::vector<uint64_t>& sample = report.resume_latencies_ns;
    if (kept > WorkerReport::kMaxLatencies || rate < 1) {
      Thin(sample,
           static_cast<size_t>(rate *
                               static_cast<double>(report.wake_sample_total)),
           random);
    }
    joined.insert(joined.end(), sample.begin(), sample.end());
  }
  return joined;
}

}  // namespace

WorkerReport MergeThreadReports(std::vector<WorkerReport> reports,
                                uint64_t seed) {
  uint64_t total = 0;
  for (const WorkerReport& report : reports) total += report.wake_sample_total;
  std::vector<uint64_t> latencies =
      JoinLatencies(reports, total, SeededStream(seed));
  WorkerReport merged = std::move(reports.front());
  for (size_t i = 1; i < reports.size(); ++i) {
    AddCounts(reports[i], merged);
    KeepLongerGap(reports[i], merged);
    JoinPlaces(reports[i], merged);
    if (merged.setup_error.empty()) merged.setup_error = reports[i].setup_error;
  }
  merged.resume_latencies_ns = std::move(latencies);
  return merged;
}

}  // namespace ktstr::internal
