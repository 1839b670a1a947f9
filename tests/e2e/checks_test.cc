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
  SubmitRun run = Submit({Program("checks"), "--filter", "ktstr/pairs"});
  ASSERT_THAT(run.results, SizeIs(1)) << run.out << run.err;
  EXPECT_EQ(run.results[0].outcome, "PASS")
      << run.results[0].reason << run.results[0].finding_text;
  EXPECT_GE(run.results[0].file["measurements"][0]["value"], 11);
}

}  // namespace
}  // namespace ktstr::e2e
