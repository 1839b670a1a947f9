// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_log.h"

#include <stdio.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ktstr::internal {
namespace {

// As Recorder has them.
constexpr size_t kMaxName = 128;
constexpr size_t kMaxUnit = 32;

std::string AsName(std::string text) {
  for (char& c : text) {
    const bool is_allowed =
        absl::ascii_isalnum(c) ||
        absl::string_view("_./-").find(c) != absl::string_view::npos;
    if (!is_allowed) c = '_';
  }
  return text;
}

std::string AsUnit(const std::string& text) {
  const bool is_unit = text.size() <= kMaxUnit &&
                       std::all_of(text.begin(), text.end(), [](char c) {
                         return absl::ascii_isprint(c);
                       });
  return is_unit ? text : "";
}

// 0: it has a hint; 1: a check is about it; 2: neither.
int RankOf(const PayloadPlan& plan, const PayloadMetric& metric) {
  if (plan.def->metrics.Find(metric.name) != nullptr) return 0;
  for (const PayloadCheck& check : plan.checks) {
    if (check.bound.kind != PCheck::Kind::kExitCode &&
        check.metric == metric.name) {
      return 1;
    }
  }
  return 2;
}

std::vector<const PayloadMetric*> ByRank(
    const PayloadPlan& plan, const std::vector<PayloadMetric>& metrics) {
  std::vector<const PayloadMetric*> sorted[3];
  for (const PayloadMetric& metric : metrics) {
    sorted[RankOf(plan, metric)].push_back(&metric);
  }
  for (int rank : {1, 2}) {
    sorted[0].insert(sorted[0].end(), sorted[rank].begin(), sorted[rank].end());
  }
  return std::move(sorted[0]);
}

}  // namespace

void PayloadLog::AddMetrics(const PayloadPlan& plan,
                            const PayloadResult& result) {
  if (result.metrics.empty()) return;
  std::string prefix =
      AsName(plan.cgroup.empty() ? plan.name()
                                 : absl::StrCat(plan.cgroup, "/", plan.name()));
  const int run = ++runs_[prefix];
  if (run > 1) absl::StrAppend(&prefix, "-", run);
  size_t kept = 0;
  for (const PayloadMetric* metric : ByRank(plan, result.metrics)) {
    if (kept == kMaxOfRun || measurements_.size() == kMax) break;
    std::string name = AsName(absl::StrCat(prefix, ".", metric->name));
    if (name.size() > kMaxName || !names_.insert(name).second) continue;
    if (!std::isfinite(metric->polarity.target_value)) continue;
    measurements_.push_back({.name = std::move(name),
                             .value = metric->value,
                             .unit = AsUnit(metric->unit),
                             .polarity = metric->polarity});
    ++kept;
  }
  if (kept == result.metrics.size() && !result.is_truncated) return;
  fprintf(stderr,
          "ktstr: warning: payload %s: %zu of its %zu%s metrics are recorded; "
          "those with a hint go first\n",
          plan.name().c_str(), kept, result.metrics.size(),
          result.is_truncated ? " and more" : "");
}

void PayloadLog::AddFindings(const std::vector<Finding>& findings) {
  findings_.insert(findings_.end(), findings.begin(), findings.end());
}

void PayloadLog::AddTo(Verdict& verdict) {
  std::move(measurements_.begin(), measurements_.end(),
            std::back_inserter(verdict.measurements));
  measurements_.clear();
  for (Finding& finding : findings_) verdict.Add(std::move(finding));
  findings_.clear();
}

}  // namespace ktstr::internal
