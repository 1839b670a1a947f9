// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every snippet of docs/writing-tests, each in a guest of its own.
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

TEST(GuideTest, EverySnippetDoesWhatItsPageSays) {
  SubmitRun run =
      Submit({Program("guide"), "--filter", "ktstr/*", "--scheduler",
              absl::StrCat("simple=", SchedulerPath())});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  EXPECT_GE(run.results.size(), 20u);
  for (const VariantResult& result : run.results) {
    EXPECT_EQ(result.outcome, "PASS")
        << result.variant << ": " << result.reason << "\n"
        << result.finding_text;
  }
}

}  // namespace
}  // namespace ktstr::e2e
