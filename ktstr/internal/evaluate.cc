// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/evaluate.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cpu_list.h"
#include "ktstr/internal/judging_clock.h"
#include "ktstr/internal/statistics.h"

namespace ktstr::internal {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr double kNsPerUs = 1e3;
constexpr double kNsPerS = 1e9;

// One group being judged.
class Judge {
 public:
  Judge(const GroupEvidence& group, const Checks& checks,
        const JudgingProfile& profile, Evaluated& evaluated)
      : group_(group),
        checks_(checks),
        profile_(profile),
        evaluated_(evaluated) {}

  Verdict Run() {
    if (group_.reports.empty()) return Verdict{};
    FillStats();
    NoteSetupErrors();
    if (checks_.not_starved.value_or(true)) {
      Starvation();
      Spread();
      Gaps();
    }
    Isolation();
    WorkRates();
    IterationRates();
    WakeLatencies();
    MigrationRatio();
    Pages();
    verdict_.groups.push_back(std::move(stats_));
    return std::move(verdict_);
  }

 private:
  void Add(FindingKind kind, std::string message) {
    verdict_.Add(
        {.kind = kind, .message = std::move(message), .cgroup = group_.cgroup});
  }

  // What was left out of the account because the test itself asked for it.
  std::string Excused(double throttled_ms) const {
    std::string text;
    if (stats_.frozen_ms) {
      absl::StrAppendFormat(&text, "; %.0f ms frozen not counted",
                            *stats_.frozen_ms);
    }
    if (throttled_ms > 0) {
      absl::StrAppendFormat(&text, "; %.0f ms throttled by cpu.max not counted",
                            throttled_ms);
    }
    return text;
  }

  // How the limit came about, for messages.
  std::string LimitOrigin(bool is_set) const {
    return absl::StrCat(
        is_set ? "set by the test" : "default",
        profile_.subtracts_stolen_time
            ? ", overcommitted host: time stolen by the host subtracted"
            : "");
  }

  void FillStats();
  void FillLatencyStats();
  void NoteSetupErrors();
  void Starvation();
  void Spread();
  void Gaps();
  void Isolation();
  void WorkRates();
  void IterationRates();
  void WakeLatencies();
  void MigrationRatio();
  void Pages();

  const GroupEvidence& group_;
  const Checks& checks_;
  const JudgingProfile& profile_;
  Evaluated& evaluated_;
  std::vector<double> off_cpu_pct_;
  // Of the workers that have an off-CPU time.
  uint64_t least_counted_ns_ = std::numeric_limits<uint64_t>::max();
  std::vector<uint64_t> latencies_;  // sorted
  uint64_t latency_total_ = 0;
  GroupStats stats_;
  Verdict verdict_;
};

void Judge::FillStats() {
  stats_.cgroup = group_.cgroup;
  stats_.work = group_.work;
  stats_.workers = static_cast<int>(group_.reports.size());
  std::set<int> cpus;
  std::vector<double> delays_us;
  for (const WorkerReport& report : group_.reports) {
    for (const Residence& residence : report.residences) {
      cpus.insert(residence.cpu);
    }
    for (const Migration& migration : report.migrations) {
      cpus.insert({migration.from_cpu, migration.to_cpu});
    }
    stats_.migrations += report.migration_count;
    stats_.iterations += report.iterations;
    stats_.work_units += report.work_units;
    if (report.wall_time_ns > 0) {
      off_cpu_pct_.push_back(JudgedOffCpuPct(report, profile_));
      least_counted_ns_ =
          std::min(least_counted_ns_, CountedNs(report, profile_));
      double gap_ms = static_cast<double>(report.max_gap_ns) / kNsPerMs;
      if (gap_ms > stats_.max_gap_ms.value_or(-1)) {
        stats_.max_gap_ms = gap_ms;
        stats_.max_gap_cpu = report.max_gap_cpu;
      }
    }
    if (report.frozen_ns > 0) {
      stats_.frozen_ms =
          std::max(stats_.frozen_ms.value_or(0), report.frozen_ns / kNsPerMs);
    }
    if (report.has_schedstat) {
      delays_us.push_back(static_cast<double>(report.schedstat_run_delay_ns) /
                          kNsPerUs);
    }
    latencies_.insert(latencies_.end(), report.resume_latencies_ns.begin(),
                      report.resume_latencies_ns.end());
    latency_total_ += report.wake_sample_total;
  }
  stats_.cpus = static_cast<int>(cpus.size());
  if (group_.throttled > absl::ZeroDuration()) {
    stats_.throttled_ms = absl::ToDoubleMilliseconds(group_.throttled);
  }
  if (!off_cpu_pct_.empty()) {
    auto [low, high] =
        std::minmax_element(off_cpu_pct_.begin(), off_cpu_pct_.end());
    double sum = 0;
    for (double pct : off_cpu_pct_) sum += pct;
    stats_.min_off_cpu_pct = *low;
    stats_.max_off_cpu_pct = *high;
    stats_.avg_off_cpu_pct = sum / static_cast<double>(off_cpu_pct_.size());
    stats_.spread_pct = *high - *low;
  }
  if (!delays_us.empty()) {
    double sum = 0;
    for (double delay : delays_us) sum += delay;
    stats_.mean_run_delay_us = sum / static_cast<double>(delays_us.size());
    stats_.worst_run_delay_us =
        *std::max_element(delays_us.begin(), delays_us.end());
  }
  if (stats_.iterations > 0) {
    stats_.migration_ratio = static_cast<double>(stats_.migrations) /
                             static_cast<double>(stats_.iterations);
  }
  FillLatencyStats();
}

void Judge::FillLatencyStats() {
  if (latencies_.empty()) return;
  std::sort(latencies_.begin(), latencies_.end());
  stats_.p99_wake_latency_us =
      static_cast<double>(Percentile(latencies_, 0.99)) / kNsPerUs;
  stats_.median_wake_latency_us =
      static_cast<double>(MedianOf(latencies_)) / kNsPerUs;
  stats_.wake_latency_cv =
      CoefficientOfVariation(absl::MakeConstSpan(latencies_));
}

void Judge::NoteSetupErrors() {
  for (const WorkerReport& report : group_.reports) {
    if (report.setup_error.empty()) continue;
    Add(FindingKind::kTestBodyError,
        absl::StrCat("worker ", report.pid,
                     " could not do as declared: ", report.setup_error));
  }
}

void Judge::Starvation() {
  for (const WorkerReport& report : group_.reports) {
    if (report.work_units > 0) continue;
    Add(FindingKind::kStarved,
        absl::StrCat(
            "worker ", report.pid, " did 0 work units",
            report.completed
                ? absl::StrFormat(" in %.0f ms", report.wall_time_ns / kNsPerMs)
                : absl::StrCat(" that it could report: ",
                               report.exit.ToString())));
  }
}

void Judge::Spread() {
  if (off_cpu_pct_.size() < 2) return;
  evaluated_.spread = true;
  const double limit = checks_.max_spread_pct.value_or(profile_.max_spread_pct);
  const uint64_t slack_ns = SpreadSlackNs(profile_, stats_.cpus);
  const double slack =
      slack_ns == 0
          ? 0
          : 100.0 * static_cast<double>(slack_ns) /
                static_cast<double>(std::max<uint64_t>(least_counted_ns_, 1));
  if (!(*stats_.spread_pct > limit + slack)) return;
  std::string in_time;
  if (slack_ns > 0) {
    in_time = absl::StrFormat(
        " and %d ms of the %.0f ms it left", slack_ns / 1'000'000,
        static_cast<double>(least_counted_ns_) / kNsPerMs);
  }
  Add(FindingKind::kUnfair,
      absl::StrFormat(
          "off-CPU time of %d workers on %d CPUs spreads by %.1f points "
          "(%.1f%% to %.1f%%), limit %.1f (%s%s)%s",
          stats_.workers, stats_.cpus, *stats_.spread_pct,
          *stats_.min_off_cpu_pct, *stats_.max_off_cpu_pct, limit,
          LimitOrigin(checks_.max_spread_pct.has_value()), in_time,
          Excused(0)));
}

void Judge::Gaps() {
  uint64_t limit_ms = checks_.max_gap_ms.value_or(profile_.max_gap_ms);
  // A quota makes workers wait by itself. The kernel tells for how long only of
  // all CPUs together, which is generous; whoever sets a limit means the clock.
  const double throttled_ms =
      checks_.max_gap_ms ? 0 : stats_.throttled_ms.value_or(0);
  for (const WorkerReport& report : group_.reports) {
    if (report.wall_time_ns == 0) continue;
    evaluated_.gap = true;
    double gap_ms = static_cast<double>(report.max_gap_ns) / kNsPerMs;
    if (!(gap_ms - throttled_ms > static_cast<double>(limit_ms))) continue;
    Add(FindingKind::kStuck,
        absl::StrFormat(
            "worker %d made no progress for %.0f ms on CPU %d, until %.0f ms "
            "after its start, limit %d ms (%s)%s",
            report.pid, gap_ms, report.max_gap_cpu,
            static_cast<double>(report.max_gap_at_ns) / kNsPerMs, limit_ms,
            LimitOrigin(checks_.max_gap_ms.has_value()),
            Excused(throttled_ms)));
  }
}

void Judge::Isolation() {
  if (!checks_.isolation.value_or(false)) return;
  for (const WorkerReport& report : group_.reports) {
    std::set<int> outside;
    std::string allowed_then;
    for (const Residence& residence : report.residences) {
      auto placement = group_.placements.find(residence.epoch);
      if (placement == group_.placements.end() || !placement->second) continue;
      evaluated_.isolation = true;
      const std::vector<int>& allowed = *placement->second;
      if (std::find(allowed.begin(), allowed.end(), residence.cpu) !=
          allowed.end()) {
        continue;
      }
      outside.insert(residence.cpu);
      allowed_then = FormatCpuList(allowed);
    }
    if (outside.empty()) continue;
    Add(FindingKind::kIsolation,
        absl::StrCat(
            "worker ", report.pid, " ran on CPU ",
            FormatCpuList(std::vector<int>(outside.begin(), outside.end())),
            " while its cpuset was ", allowed_then));
  }
}

void Judge::WorkRates() {
  std::vector<double> rates;
  for (const WorkerReport& report : group_.reports) {
    rates.push_back(report.cpu_time_ns == 0
                        ? 0
                        : static_cast<double>(report.work_units) * kNsPerS /
                              static_cast<double>(report.cpu_time_ns));
    if (!checks_.min_work_rate) continue;
    evaluated_.work_rate = true;
    if (!(rates.back() < *checks_.min_work_rate)) continue;
    Add(FindingKind::kBenchmark,
        absl::StrFormat("worker %d did %.0f work units per CPU-second, "
                        "minimum %.0f",
                        report.pid, rates.back(), *checks_.min_work_rate));
  }
  if (!checks_.max_throughput_cv) return;
  std::optional<double> cv =
      CoefficientOfVariation(absl::MakeConstSpan(std::as_const(rates)));
  if (!cv) return;
  evaluated_.throughput_cv = true;
  if (!(*cv > *checks_.max_throughput_cv)) return;
  double sum = 0;
  for (double rate : rates) sum += rate;
  Add(FindingKind::kBenchmark,
      absl::StrFormat("work rates of %d workers vary by %.4f around %.0f "
                      "units per CPU-second, maximum %.4f",
                      stats_.workers, *cv,
                      sum / static_cast<double>(rates.size()),
                      *checks_.max_throughput_cv));
}

void Judge::IterationRates() {
  if (!checks_.min_iteration_rate) return;
  for (const WorkerReport& report : group_.reports) {
    if (report.wall_time_ns <= report.frozen_ns) continue;
    evaluated_.iteration_rate = true;
    double rate = static_cast<double>(report.iterations) * kNsPerS /
                  static_cast<double>(report.wall_time_ns - report.frozen_ns);
    if (!(rate < *checks_.min_iteration_rate)) continue;
    Add(FindingKind::kBenchmark,
        absl::StrFormat("worker %d did %.1f iterations a second, minimum %.1f",
                        report.pid, rate, *checks_.min_iteration_rate));
  }
}

void Judge::WakeLatencies() {
  if (checks_.max_p99_wake_latency_ns && !latencies_.empty()) {
    evaluated_.p99_wake_latency = true;
    uint64_t p99 = Percentile(latencies_, 0.99);
    if (p99 > *checks_.max_p99_wake_latency_ns) {
      Add(FindingKind::kBenchmark,
          absl::StrFormat("99th percentile of %d wake latencies is %d ns, "
                          "maximum %d ns",
                          latency_total_, p99,
                          *checks_.max_p99_wake_latency_ns));
    }
  }
  if (checks_.max_wake_latency_cv && stats_.wake_latency_cv) {
    evaluated_.wake_latency_cv = true;
    if (*stats_.wake_latency_cv > *checks_.max_wake_latency_cv) {
      double sum = 0;
      for (uint64_t latency : latencies_) sum += static_cast<double>(latency);
      Add(FindingKind::kBenchmark,
          absl::StrFormat("wake latencies vary by %.4f around %.0f ns, "
                          "maximum %.4f",
                          *stats_.wake_latency_cv,
                          sum / static_cast<double>(latencies_.size()),
                          *checks_.max_wake_latency_cv));
    }
  }
}

void Judge::MigrationRatio() {
  if (!checks_.max_migration_ratio || !stats_.migration_ratio) return;
  evaluated_.migration_ratio = true;
  if (!(*stats_.migration_ratio > *checks_.max_migration_ratio)) return;
  Add(FindingKind::kMigration,
      absl::StrFormat("%d migrations in %d iterations are %.4f each, maximum "
                      "%.4f",
                      stats_.migrations, stats_.iterations,
                      *stats_.migration_ratio, *checks_.max_migration_ratio));
}

void Judge::Pages() {
  PagesJudged judged = JudgePages(group_.reports, group_.pages, checks_);
  evaluated_.pages.Merge(judged.evaluated);
  stats_.page_locality = judged.locality;
  stats_.cross_node_migration_ratio = judged.cross_node_migration_ratio;
  for (Finding& finding : judged.findings) {
    Add(finding.kind, std::move(finding.message));
  }
}

}  // namespace

void Evaluated::Merge(const Evaluated& other) {
  isolation |= other.isolation;
  gap |= other.gap;
  spread |= other.spread;
  throughput_cv |= other.throughput_cv;
  work_rate |= other.work_rate;
  p99_wake_latency |= other.p99_wake_latency;
  wake_latency_cv |= other.wake_latency_cv;
  iteration_rate |= other.iteration_rate;
  migration_ratio |= other.migration_ratio;
  pages.Merge(other.pages);
}

Verdict EvaluateGroup(const GroupEvidence& group, const Checks& checks,
                      const JudgingProfile& profile, Evaluated& evaluated) {
  return Judge(group, checks, profile, evaluated).Run();
}

std::vector<Finding> NotEvaluated(const Checks& checks,
                                  const Evaluated& evaluated) {
  std::vector<Finding> findings;
  if (checks.tolerate_not_evaluated.value_or(false)) return findings;
  auto require = [&](bool is_set, bool is_evaluated, const char* name,
                     const char* reason) {
    if (!is_set || is_evaluated) return;
    findings.push_back({.kind = FindingKind::kNotEvaluated,
                        .message = absl::StrCat(name, " is set but ", reason)});
  };
  require(checks.isolation.value_or(false), evaluated.isolation, "isolation",
          "no worker reported from a cgroup with a cpuset");
  require(checks.max_gap_ms.has_value(), evaluated.gap, "max_gap_ms",
          "no worker reported, or not_starved is off");
  require(checks.max_spread_pct.has_value(), evaluated.spread, "max_spread_pct",
          "no work group has two workers that reported, or not_starved is off");
  require(checks.max_throughput_cv.has_value(), evaluated.throughput_cv,
          "max_throughput_cv", "no work group has two workers with work done");
  require(checks.min_work_rate.has_value(), evaluated.work_rate,
          "min_work_rate", "there was no worker");
  require(checks.max_p99_wake_latency_ns.has_value(),
          evaluated.p99_wake_latency, "max_p99_wake_latency_ns",
          "no worker slept or waited");
  require(checks.max_wake_latency_cv.has_value(), evaluated.wake_latency_cv,
          "max_wake_latency_cv", "no work group slept or waited twice");
  require(checks.min_iteration_rate.has_value(), evaluated.iteration_rate,
          "min_iteration_rate", "no worker reported");
  require(checks.max_migration_ratio.has_value(), evaluated.migration_ratio,
          "max_migration_ratio", "no work group finished an iteration");
  const char* kNoPlace =
      "no worker with a cpuset or nodes to bind to reported its pages";
  require(checks.min_page_locality.has_value(), evaluated.pages.locality,
          "min_page_locality", kNoPlace);
  require(checks.max_cross_node_migration_ratio.has_value(),
          evaluated.pages.cross_node, "max_cross_node_migration_ratio",
          "the kernel counts no migrated pages, or no worker reported its own");
  require(checks.max_slow_tier_ratio.has_value(), evaluated.pages.slow_tier,
          "max_slow_tier_ratio", kNoPlace);
  return findings;
}

}  // namespace ktstr::internal
