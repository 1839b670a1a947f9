// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The arithmetic of the checks, on plain numbers.
#ifndef KTSTR_KTSTR_INTERNAL_STATISTICS_H_
#define KTSTR_KTSTR_INTERNAL_STATISTICS_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace ktstr::internal {

// Nearest rank, no interpolation: sorted[clamp(ceil(n * p) - 1, 0, n - 1)].
// REQUIRES: `sorted` is ascending and not empty.
inline uint64_t Percentile(absl::Span<const uint64_t> sorted, double p) {
  int64_t n = static_cast<int64_t>(sorted.size());
  int64_t rank =
      static_cast<int64_t>(std::ceil(static_cast<double>(n) * p)) - 1;
  return sorted[std::clamp<int64_t>(rank, 0, n - 1)];
}

// sorted[n / 2]. REQUIRES: as above.
inline uint64_t MedianOf(absl::Span<const uint64_t> sorted) {
  return sorted[sorted.size() / 2];
}

// Population standard deviation over mean; unset when the mean is not positive
// or there are fewer than two values.
template <typename T>
std::optional<double> CoefficientOfVariation(absl::Span<const T> values) {
  if (values.size() < 2) return std::nullopt;
  double n = static_cast<double>(values.size());
  double sum = 0;
  for (T value : values) sum += static_cast<double>(value);
  double mean = sum / n;
  if (!(mean > 0)) return std::nullopt;
  double squares = 0;
  for (T value : values) {
    double distance = static_cast<double>(value) - mean;
    squares += distance * distance;
  }
  return std::sqrt(squares / n) / mean;
}

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_STATISTICS_H_
