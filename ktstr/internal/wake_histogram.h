// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_WAKE_HISTOGRAM_H_
#define KTSTR_KTSTR_INTERNAL_WAKE_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace ktstr::internal {

// Wake latencies in nanoseconds, counted by size, so that a phase's can be had
// by subtraction.
//
// Shape: below 16 ns one bucket a value, above 16 for each power of two; a
//        bucket is at most 1/16 of its value wide. Everything from 2^40 ns (18
//        minutes) on is in the last.
inline constexpr int kWakeSubBits = 4;
inline constexpr uint64_t kMaxWakeNs = (uint64_t{1} << 40) - 1;
inline constexpr size_t kWakeBuckets = (40 - kWakeSubBits + 1) << kWakeSubBits;

constexpr size_t WakeBucket(uint64_t ns) {
  ns = std::min(ns, kMaxWakeNs);
  const int power = std::bit_width(ns) - 1;
  if (power < kWakeSubBits) return static_cast<size_t>(ns);
  const int shift = power - kWakeSubBits;
  return (static_cast<size_t>(shift) << kWakeSubBits) +
         static_cast<size_t>(ns >> shift);
}

// The largest latency that falls into `bucket`.
constexpr uint64_t WakeBucketTop(size_t bucket) {
  const size_t row = bucket >> kWakeSubBits;
  if (row == 0) return bucket;
  const int shift = static_cast<int>(row) - 1;
  const uint64_t first = (uint64_t{1} << kWakeSubBits) +
                         (bucket & ((size_t{1} << kWakeSubBits) - 1));
  return ((first + 1) << shift) - 1;
}

using WakeCounts = std::array<uint64_t, kWakeBuckets>;

// Percentile p by nearest rank, as the top of its bucket: never below the true
// one, and at most 1/16 above it. Unset without samples.
inline std::optional<uint64_t> WakePercentile(absl::Span<const uint64_t> counts,
                                              double p) {
  uint64_t total = 0;
  for (uint64_t count : counts) total += count;
  if (total == 0) return std::nullopt;
  const double rank = std::ceil(static_cast<double>(total) * p);
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts.size(); ++bucket) {
    seen += counts[bucket];
    if (static_cast<double>(seen) >= std::max(rank, 1.0)) {
      return WakeBucketTop(bucket);
    }
  }
  return WakeBucketTop(counts.size() - 1);
}

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WAKE_HISTOGRAM_H_
