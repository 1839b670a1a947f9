// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/wake_histogram.h"

#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

TEST(WakeHistogramTest, BucketsAreWhatTheHeaderSays) {
  const struct {
    uint64_t ns;
    size_t bucket;
    uint64_t top;
  } kCases[] = {
      {0, 0, 0},
      {15, 15, 15},
      {16, 16, 16},
      {31, 31, 31},
      {32, 32, 33},
      {33, 32, 33},
      {34, 33, 35},
      {63, 47, 63},
      {64, 48, 67},
      {1000, 16 * 6 + 15 - 0, 1023},  // 1000 >> 5 is 31: row 6, place 15
      {kMaxWakeNs, kWakeBuckets - 1, kMaxWakeNs},
      {~uint64_t{0}, kWakeBuckets - 1, kMaxWakeNs},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(WakeBucket(c.ns), c.bucket) << c.ns;
    EXPECT_EQ(WakeBucketTop(c.bucket), c.top) << c.ns;
  }
}

TEST(WakeHistogramTest, BucketsMeetWithoutGapsAndAreNarrow) {
  for (size_t bucket = 1; bucket < kWakeBuckets; ++bucket) {
    const uint64_t first = WakeBucketTop(bucket - 1) + 1;
    ASSERT_EQ(WakeBucket(first), bucket);
    ASSERT_EQ(WakeBucket(WakeBucketTop(bucket)), bucket);
    ASSERT_LE((WakeBucketTop(bucket) - first) * 16, first);
  }
}

TEST(WakeHistogramTest, PercentilesAreOfNearestRank) {
  WakeCounts counts{};
  EXPECT_FALSE(WakePercentile(counts, 0.99).has_value());
  // 100 samples: 98 of 3 ns, one each of 10 and 14.
  counts[3] = 98;
  counts[10] = 1;
  counts[14] = 1;
  EXPECT_EQ(WakePercentile(counts, 0.98), 3u);
  EXPECT_EQ(WakePercentile(counts, 0.99), 10u);
  EXPECT_EQ(WakePercentile(counts, 1), 14u);
  EXPECT_EQ(WakePercentile(counts, 0), 3u);
}

}  // namespace
}  // namespace ktstr::internal
