// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_RELATIVE_H_
#define KTSTR_KTSTR_RELATIVE_H_

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace ktstr {

// What a phase of a scenario is measured by, over the workers in question
// together. A phase is a step, from when its ops and cgroups are in place to
// the end of its hold.
enum class Metric {
  kIterationRate,  // iterations a second of each worker
  kWorkRate,       // work units a second of CPU time
  kRunDelay,       // seconds runnable but waiting, a second of each worker
  kWakeP99,        // 99th percentile of wake latencies, in nanoseconds
};

// A comparison of two phases by the labels of their steps:
//
//   run(ctx, backdrop,
//       {Step{}.label("alone"),
//        Step{}.cgroup(Cgroup{"neighbour"}).label("crowded")},
//       std::nullopt,
//       {Relative{}.metric(Metric::kIterationRate).cgroup("tenant")
//            .of("crowded").against("alone").at_least(0.8)});
//
// Steps of the same label are one phase. A phase that did not happen, or in
// which nothing was measured, is a finding of kind kNotEvaluated.
class Relative {
 public:
  Relative& metric(Metric metric) { return metric_ = metric, *this; }
  // The phase in question, and the one it is compared with.
  Relative& of(std::string phase) { return of_ = std::move(phase), *this; }
  Relative& against(std::string phase) {
    return against_ = std::move(phase), *this;
  }
  // Only the workers of this cgroup; all workers by default.
  Relative& cgroup(std::string name) {
    return cgroup_ = std::move(name), *this;
  }
  // Bounds of the quotient, inclusive; one at least.
  Relative& at_least(double ratio) { return at_least_ = ratio, *this; }
  Relative& at_most(double ratio) { return at_most_ = ratio, *this; }

  // InvalidArgument: a phase has no name, no bound is set, or one is negative
  // or not finite.
  absl::Status Validate() const;

  Metric metric() const { return metric_; }
  const std::string& of() const { return of_; }
  const std::string& against() const { return against_; }
  const std::optional<std::string>& cgroup() const { return cgroup_; }
  std::optional<double> at_least() const { return at_least_; }
  std::optional<double> at_most() const { return at_most_; }

 private:
  Metric metric_ = Metric::kIterationRate;
  std::string of_;
  std::string against_;
  std::optional<std::string> cgroup_;
  std::optional<double> at_least_;
  std::optional<double> at_most_;
};

// "iteration rate", "run delay", ...
const char* MetricName(Metric metric);

}  // namespace ktstr

#endif  // KTSTR_KTSTR_RELATIVE_H_
