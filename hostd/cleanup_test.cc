// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/cleanup.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kBudget = absl::Milliseconds(300);

Classification Judged(ktstr::v1::Outcome outcome, absl::Duration took) {
  Classification judged = {.outcome = outcome, .reason = "as it was"};
  JudgeCleanup(took, kBudget, &judged);
  return judged;
}

TEST(JudgeCleanupTest, ThatIsInTimeChangesNothing) {
  const Classification judged = Judged(ktstr::v1::PASS, kBudget);
  EXPECT_EQ(judged.outcome, ktstr::v1::PASS);
  EXPECT_EQ(judged.reason, "as it was");
  EXPECT_THAT(judged.findings, IsEmpty());
}

TEST(JudgeCleanupTest, ThatTakesLongerFailsAPass) {
  const Classification judged =
      Judged(ktstr::v1::PASS, absl::Microseconds(1234567));
  EXPECT_EQ(judged.outcome, ktstr::v1::FAIL);
  EXPECT_EQ(judged.reason,
            "the guest was gone 1.234s after it was done, cleanup_budget is "
            "300ms");
  ASSERT_THAT(judged.findings, SizeIs(1));
  EXPECT_EQ(judged.findings[0].kind(), ktstr::v1::SLOW_CLEANUP);
}

TEST(JudgeCleanupTest, ThatTakesLongerIsAFindingOfAFail) {
  const Classification judged = Judged(ktstr::v1::FAIL, absl::Seconds(1));
  EXPECT_EQ(judged.reason, "as it was");
  EXPECT_THAT(judged.findings, SizeIs(1));
}

TEST(JudgeCleanupTest, IsNotJudgedWithoutAVerdict) {
  for (auto outcome : {ktstr::v1::MISS, ktstr::v1::ERROR, ktstr::v1::SKIP,
                       ktstr::v1::CANCELLED}) {
    const Classification judged = Judged(outcome, absl::Seconds(1));
    EXPECT_EQ(judged.outcome, outcome);
    EXPECT_THAT(judged.findings, IsEmpty());
  }
}

}  // namespace
}  // namespace ktstr::hostd
