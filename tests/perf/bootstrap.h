// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_PERF_BOOTSTRAP_H_
#define KTSTR_TESTS_PERF_BOOTSTRAP_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::perf {

// The middle value; the mean of the two middle ones for an even count.
// REQUIRES: not empty.
double Median(std::vector<double> values);

// An estimate with its 95 percent interval.
struct Estimate {
  double value = 0;
  double lo = 0;
  double hi = 0;
};

// `statistic` of two paired samples and, by resampling pairs with replacement,
// its interval. Same input, same answer.
// REQUIRES: both samples have the same size, above zero.
Estimate Bootstrap(
    const std::vector<double>& a, const std::vector<double>& b,
    const std::function<double(const std::vector<double>&,
                               const std::vector<double>&)>& statistic);

// Median of `a` in units of the median of `b`.
double RatioOfMedians(const std::vector<double>& a,
                      const std::vector<double>& b);

// One line of `make perf`; see docs/design.md, "What fast means here".
struct Figure {
  std::string name;
  Estimate estimate;
  std::string unit;
  std::string peer;
  size_t n = 0;
  std::string where;
};

// One JSON object without a line end.
std::string FormatFigure(const Figure& figure);

}  // namespace ktstr::perf

#endif  // KTSTR_TESTS_PERF_BOOTSTRAP_H_
