// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/seed.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace ktstr::gauntlet {
namespace {

// Stored results depend on these numbers.
TEST(VariantSeedTest, NeverChanges) {
  EXPECT_EQ(VariantSeed(1, "ktstr/steady"), uint64_t{8124365917972499173});
  EXPECT_EQ(VariantSeed(0, ""), uint64_t{6566800829925814604});
}

TEST(VariantSeedTest, DependsOnRunAndName) {
  EXPECT_NE(VariantSeed(1, "a"), VariantSeed(2, "a"));
  EXPECT_NE(VariantSeed(1, "a"), VariantSeed(1, "b"));
}

}  // namespace
}  // namespace ktstr::gauntlet
