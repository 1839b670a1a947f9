// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/relative.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace ktstr {

const char* MetricName(Metric metric) {
  switch (metric) {
    case Metric::kIterationRate:
      return "iteration rate";
    case Metric::kWorkRate:
      return "work rate";
    case Metric::kRunDelay:
      return "run delay";
    case Metric::kWakeP99:
      return "99th percentile of wake latencies";
  }
  return "metric";
}

absl::Status Relative::Validate() const {
  if (of_.empty() || against_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a comparison of the ", MetricName(metric_),
                     " needs of() and against(), each the label of a step"));
  }
  if (!at_least_ && !at_most_) {
    return absl::InvalidArgumentError(
        absl::StrCat("the comparison of \"", of_, "\" against \"", against_,
                     "\" needs at_least() or at_most()"));
  }
  for (const std::optional<double>& bound : {at_least_, at_most_}) {
    if (bound && !(std::isfinite(*bound) && *bound >= 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the comparison of \"", of_, "\" against \"", against_,
                       "\" has a bound of ", *bound, ", not 0 or more"));
    }
  }
  return absl::OkStatus();
}

}  // namespace ktstr
