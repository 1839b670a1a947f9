// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/perf/bootstrap.h"

#include "gtest/gtest.h"

namespace ktstr::perf {
namespace {

TEST(BootstrapTest, MedianOfEvenCountIsBetweenTheMiddleTwo) {
  EXPECT_EQ(Median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(Median({9, 1, 5}), 5);
}

TEST(BootstrapTest, IntervalHoldsTheValueAndIsRepeatable) {
  std::vector<double> a, b;
  for (int i = 0; i < 40; ++i) {
    a.push_back(10 + i % 7);
    b.push_back(40 + i % 5);
  }
  Estimate first = Bootstrap(a, b, RatioOfMedians);
  Estimate second = Bootstrap(a, b, RatioOfMedians);
  EXPECT_LE(first.lo, first.value);
  EXPECT_GE(first.hi, first.value);
  EXPECT_GT(first.lo, 0.2);
  EXPECT_LT(first.hi, 0.4);
  EXPECT_EQ(first.lo, second.lo);
  EXPECT_EQ(first.hi, second.hi);
}

TEST(BootstrapTest, ConstantSamplesHaveNoSpread) {
  Estimate estimate = Bootstrap({2, 2, 2}, {8, 8, 8}, RatioOfMedians);
  EXPECT_EQ(estimate.lo, 0.25);
  EXPECT_EQ(estimate.hi, 0.25);
}

TEST(BootstrapTest, FigureIsOneJsonLine) {
  EXPECT_EQ(FormatFigure({.name = "vmm.x",
                          .estimate = {0.25, 0.2, 0.3},
                          .unit = "ratio",
                          .peer = "p",
                          .n = 3,
                          .where = "here"}),
            R"({"figure":"vmm.x","value":0.25,"unit":"ratio","peer":"p",)"
            R"("n":3,"lo":0.2,"hi":0.3,"where":"here"})");
}

}  // namespace
}  // namespace ktstr::perf
