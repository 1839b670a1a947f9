// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/phases.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "ktstr/internal/wake_histogram.h"

namespace ktstr::internal {
namespace {

constexpr double kNsPerS = 1e9;

// Everything of several work groups.
struct Totals {
  double worker_seconds = 0;
  uint64_t iterations = 0;
  uint64_t work_units = 0;
  uint64_t cpu_ns = 0;
  uint64_t run_delay_ns = 0;
  bool has_schedstat = false;
  WakeCounts wakes{};

  void Add(const PhaseShare& share) {
    for (const WorkerSample& worker : share.workers) {
      worker_seconds += share.seconds;
      iterations += worker.iterations;
      work_units += worker.work_units;
      has_schedstat |= worker.cpu_ns.has_value();
      cpu_ns += worker.cpu_ns.value_or(0);
      run_delay_ns += worker.run_delay_ns.value_or(0);
      for (const auto& [bucket, count] : worker.wakes) wakes[bucket] += count;
    }
  }
};

std::string InWords(Metric metric, double value) {
  switch (metric) {
    case Metric::kIterationRate:
      return absl::StrFormat("%.1f a second", value);
    case Metric::kWorkRate:
      return absl::StrFormat("%.0f units a CPU-second", value);
    case Metric::kRunDelay:
      return absl::StrFormat("%.1f ms a second", value * 1e3);
    case Metric::kWakeP99:
      return absl::StrFormat("%.0f ns", value);
  }
  return absl::StrCat(value);
}

}  // namespace

std::optional<double> Phases::Value(
    const std::string& label, Metric metric,
    const std::optional<std::string>& cgroup) const {
  auto found = shares_.find(label);
  if (found == shares_.end()) return std::nullopt;
  Totals totals;
  for (const PhaseShare& share : found->second) {
    if (!cgroup || share.cgroup == *cgroup) totals.Add(share);
  }
  if (!(totals.worker_seconds > 0)) return std::nullopt;
  switch (metric) {
    case Metric::kIterationRate:
      return static_cast<double>(totals.iterations) / totals.worker_seconds;
    case Metric::kWorkRate:
      if (totals.cpu_ns == 0) return std::nullopt;
      return static_cast<double>(totals.work_units) * kNsPerS /
             static_cast<double>(totals.cpu_ns);
    case Metric::kRunDelay:
      if (!totals.has_schedstat) return std::nullopt;
      return static_cast<double>(totals.run_delay_ns) / kNsPerS /
             totals.worker_seconds;
    case Metric::kWakeP99:
      return WakePercentile(totals.wakes, 0.99);
  }
  return std::nullopt;
}

std::optional<Finding> Phases::Judge(const Relative& relative) const {
  const Metric metric = relative.metric();
  const std::string whose =
      relative.cgroup() ? absl::StrCat(" of cgroup ", *relative.cgroup()) : "";
  std::optional<double> values[2];
  for (int i = 0; i < 2; ++i) {
    const std::string& label = i == 0 ? relative.of() : relative.against();
    values[i] = Value(label, metric, relative.cgroup());
    const bool is_divisor_zero = i == 1 && values[i] == 0.0;
    if (values[i] && !is_divisor_zero) continue;
    const char* why = !shares_.contains(label) ? " did not happen"
                      : is_divisor_zero        ? " has 0 to compare with"
                                               : " has no samples of it";
    return Finding{.kind = FindingKind::kNotEvaluated,
                   .message = absl::StrCat(MetricName(metric), whose, " of \"",
                                           relative.of(), "\" against \"",
                                           relative.against(), "\": phase \"",
                                           label, "\"", why)};
  }
  const double ratio = *values[0] / *values[1];
  const bool is_low = relative.at_least() && ratio < *relative.at_least();
  const bool is_high = relative.at_most() && ratio > *relative.at_most();
  if (!is_low && !is_high) return std::nullopt;
  return Finding{
      .kind = FindingKind::kBenchmark,
      .message = absl::StrFormat(
          "%s%s in \"%s\" is %.3f of that in \"%s\" (%s against %s), %s %.3f",
          MetricName(metric), whose, relative.of(), ratio, relative.against(),
          InWords(metric, *values[0]), InWords(metric, *values[1]),
          is_low ? "minimum" : "maximum",
          is_low ? *relative.at_least() : *relative.at_most()),
      .cgroup = relative.cgroup().value_or("")};
}

std::vector<Finding> JudgeShare(const PhaseShare& share, const Checks& checks,
                                const JudgingProfile& profile,
                                const std::string& where,
                                Evaluated& evaluated) {
  GroupEvidence evidence{.cgroup = share.cgroup};
  Totals totals;
  totals.Add(share);
  for (const WorkerSample& worker : share.workers) {
    WorkerReport report;
    report.pid = worker.pid;
    report.completed = true;
    report.work_units = worker.work_units;
    report.iterations = worker.iterations;
    report.cpu_time_ns = worker.cpu_ns.value_or(0);
    report.wall_time_ns = static_cast<uint64_t>(share.seconds * kNsPerS);
    evidence.reports.push_back(report);
  }
  // One value stands for the percentile that the histogram knows.
  std::optional<uint64_t> p99 = WakePercentile(totals.wakes, 0.99);
  if (p99 && !evidence.reports.empty()) {
    evidence.reports[0].resume_latencies_ns = {*p99};
    for (uint64_t count : totals.wakes) {
      evidence.reports[0].wake_sample_total += count;
    }
  }
  const bool has_cpu = totals.has_schedstat;
  const Checks of_a_phase = {
      .not_starved = false,
      .max_throughput_cv = has_cpu ? checks.max_throughput_cv : std::nullopt,
      .min_work_rate = has_cpu ? checks.min_work_rate : std::nullopt,
      .max_p99_wake_latency_ns = checks.max_p99_wake_latency_ns,
      .min_iteration_rate = checks.min_iteration_rate};
  Verdict verdict = EvaluateGroup(evidence, of_a_phase, profile, evaluated);
  for (Finding& finding : verdict.findings) {
    finding.message = absl::StrCat(where, ": ", finding.message);
  }
  return std::move(verdict.findings);
}

}  // namespace ktstr::internal
