// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Checks on a real kernel, on sound and on broken set-ups:
// tests/guest/checks.cc.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;

TEST(ChecksTest, EachPassesWhatIsSoundAndFindsWhatIsBroken) {
  SubmitRun run = Submit({Program("checks"), "--filter", "ktstr/pairs",
                          "--filter", "ktstr/crowd", "--filter", "ktstr/tiers",
                          "--filter", "ktstr/moves_pages"});
  ASSERT_THAT(run.results, SizeIs(4)) << run.out << run.err;
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS") << result.reason << result.finding_text;
  }
  EXPECT_GE(run.Of("pairs").file["measurements"][0]["value"], 11);
}

}  // namespace
}  // namespace ktstr::e2e
