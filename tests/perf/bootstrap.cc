// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/perf/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "nlohmann/json.hpp"

namespace ktstr::perf {
namespace {

constexpr int kResamples = 2000;
constexpr uint32_t kSeed = 1;

double Rounded(double value) { return std::round(value * 10000) / 10000; }

}  // namespace

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle]
                                : (values[middle - 1] + values[middle]) / 2;
}

Estimate Bootstrap(
    const std::vector<double>& a, const std::vector<double>& b,
    const std::function<double(const std::vector<double>&,
                               const std::vector<double>&)>& statistic) {
  std::mt19937 random(kSeed);
  std::vector<double> resampled_a(a.size()), resampled_b(b.size()), values;
  for (int i = 0; i < kResamples; ++i) {
    for (size_t j = 0; j < a.size(); ++j) {
      size_t pick = random() % a.size();
      resampled_a[j] = a[pick];
      resampled_b[j] = b[pick];
    }
    values.push_back(statistic(resampled_a, resampled_b));
  }
  std::sort(values.begin(), values.end());
  return {.value = statistic(a, b),
          .lo = values[kResamples * 25 / 1000],
          .hi = values[kResamples * 975 / 1000 - 1]};
}

double RatioOfMedians(const std::vector<double>& a,
                      const std::vector<double>& b) {
  return Median(a) / Median(b);
}

std::string FormatFigure(const Figure& figure) {
  nlohmann::ordered_json object = {
      {"figure", figure.name},
      {"value", Rounded(figure.estimate.value)},
      {"unit", figure.unit},
      {"peer", figure.peer},
      {"n", figure.n},
      {"lo", Rounded(figure.estimate.lo)},
      {"hi", Rounded(figure.estimate.hi)},
      {"where", figure.where},
  };
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ktstr::perf
