// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/statistics.h"

#include <numeric>
#include <vector>

#include "gtest/gtest.h"
#include "ktstr/internal/seed.h"

namespace ktstr::internal {
namespace {

TEST(StatisticsTest, PercentileIsTheNearestRank) {
  std::vector<uint64_t> values(100);
  std::iota(values.begin(), values.end(), 0);
  EXPECT_EQ(Percentile(values, 0.99), 98u);
  EXPECT_EQ(Percentile(values, 1.0), 99u);
  EXPECT_EQ(Percentile(values, 0.0), 0u);
  EXPECT_EQ(Percentile({7}, 0.99), 7u);
  EXPECT_EQ(Percentile({1, 2, 3}, 0.5), 2u);
}

// n * p by hand, and the rank it is rounded up to.
TEST(StatisticsTest, RanksByHand) {
  const struct {
    size_t n;
    double p;
    uint64_t index;
  } kCases[] = {
      {1, 0, 0},       {1, 1, 0},        {2, 0.5, 0},  // 1.0
      {2, 0.51, 1},                                    // 1.02
      {3, 0.99, 2},                                    // 2.97
      {10, 0.9, 8},    {10, 0.91, 9},                  // 9.0, 9.1
      {99, 0.99, 98},                                  // 98.01
      {100, 0.5, 49},  {100, 0.999, 99},               // 50.0, 99.9
      {101, 0.99, 99}, {200, 0.99, 197}, {1000, 0.99, 989},
  };
  for (const auto& c : kCases) {
    std::vector<uint64_t> values(c.n);
    std::iota(values.begin(), values.end(), 0);
    EXPECT_EQ(Percentile(values, c.p), c.index) << c.n << " " << c.p;
  }
}

TEST(StatisticsTest, MedianOfAnEvenCountIsTheUpperOne) {
  EXPECT_EQ(MedianOf({1, 2, 3, 4}), 3u);
  EXPECT_EQ(MedianOf({1, 2, 3}), 2u);
}

TEST(StatisticsTest, VariationDividesByTheCount) {
  std::vector<double> values = {2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(CoefficientOfVariation(absl::MakeConstSpan(values)).value(),
                   2.0 / 5.0);
}

TEST(StatisticsTest, VariationNeedsTwoValuesAndAPositiveMean) {
  std::vector<double> one = {3};
  std::vector<double> zeros = {0, 0};
  EXPECT_FALSE(CoefficientOfVariation(absl::MakeConstSpan(one)).has_value());
  EXPECT_FALSE(CoefficientOfVariation(absl::MakeConstSpan(zeros)).has_value());
}

TEST(SeededStreamTest, SameSeedSameNumbersAndForksDiffer) {
  SeededStream a(5), b(5);
  EXPECT_EQ(a.Next(), b.Next());
  EXPECT_NE(a.Fork(1), a.Fork(2));
  // Recorded seeds must replay on every later release.
  EXPECT_EQ(SeededStream(0).Next(), 0xe220a8397b1dcdafu);
}

TEST(SeededStreamTest, BelowStaysBelow) {
  SeededStream stream(1);
  for (int i = 0; i < 1000; ++i) EXPECT_LT(stream.Below(7), 7u);
}

}  // namespace
}  // namespace ktstr::internal
