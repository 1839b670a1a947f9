// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/checks.h"

#include "gtest/gtest.h"

namespace ktstr {
namespace {

TEST(ChecksTest, AllUnsetIsTheIdentityOfMerging) {
  Checks checks{.isolation = true, .max_gap_ms = 7, .min_work_rate = 2.5};
  EXPECT_EQ(checks.With(Checks{}), checks);
  EXPECT_EQ(Checks{}.With(checks), checks);
}

TEST(ChecksTest, UpperLayerWinsFieldByField) {
  Checks lower{.isolation = true, .max_gap_ms = 7};
  Checks merged = lower.With({.max_gap_ms = 9, .max_spread_pct = 1});
  EXPECT_EQ(merged,
            (Checks{.isolation = true, .max_gap_ms = 9, .max_spread_pct = 1}));
}

TEST(ChecksTest, FalseSwitchesADefaultOff) {
  EXPECT_EQ(Checks::Defaults().not_starved, true);
  EXPECT_EQ(Checks::Defaults().With({.not_starved = false}).not_starved, false);
}

TEST(ChecksTest, EveryFieldTakesPartInMerging) {
  Checks all{.not_starved = true,
             .isolation = true,
             .max_gap_ms = 1,
             .max_spread_pct = 2,
             .max_throughput_cv = 3,
             .min_work_rate = 4,
             .max_p99_wake_latency_ns = 5,
             .max_wake_latency_cv = 6,
             .min_iteration_rate = 7,
             .max_migration_ratio = 8,
             .min_page_locality = 9,
             .max_cross_node_migration_ratio = 10,
             .max_slow_tier_ratio = 11,
             .tolerate_not_evaluated = true};
  EXPECT_EQ(Checks{}.With(all), all);
}

TEST(ChecksTest, OnlyTheOvercommittedProfileIsRelaxed) {
  EXPECT_EQ(JudgingProfile::Strict().max_gap_ms, 2000u);
  EXPECT_EQ(JudgingProfile::Strict().max_spread_pct, 15);
  EXPECT_FALSE(JudgingProfile::Strict().subtracts_stolen_time);
  EXPECT_EQ(JudgingProfile::Overcommitted(4).max_gap_ms, 3000u);
  EXPECT_EQ(JudgingProfile::Overcommitted(4).max_spread_pct, 35);
  EXPECT_TRUE(JudgingProfile::Overcommitted(4).subtracts_stolen_time);
}

}  // namespace
}  // namespace ktstr
