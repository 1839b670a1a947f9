// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What tests say is to be made of their failures is made of them.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Gives one run of one_of_two an even seed, and the other an odd one.
constexpr char kSeed[] = "1";

TEST(PolicyTest, ExpectedQuarantinedAndToleratedFailuresDoNotFailARun) {
  const SubmitRun run =
      Submit({Program("expected"), "--preset", "tiny-1llc", "--seed", kSeed});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(4)) << run.out << run.err;

  const VariantResult panic = run.Of("panics_as_expected");
  EXPECT_EQ(panic.outcome, "PASS") << panic.reason;
  EXPECT_THAT(panic.reason, HasSubstr("as expected: the kernel panicked"));
  EXPECT_THAT(panic.finding_kinds, ElementsAre("KERNEL_PANIC"));

  const VariantResult pass = run.Of("passes_unexpectedly");
  EXPECT_EQ(pass.outcome, "FAIL");
  EXPECT_EQ(pass.reason, "expected STUCK, but the test passed");
  EXPECT_THAT(pass.finding_kinds, ElementsAre("NOT_AS_EXPECTED"));
  EXPECT_THAT(run.out,
              HasSubstr("FAIL does not fail the run: quarantined until "
                        "2999-12-31 (kept to show this)"));

  int failed = 0;
  for (const VariantResult& result : run.results) {
    if (result.test != "one_of_two") continue;
    EXPECT_THAT(result.variant, HasSubstr("one_of_two/tiny-1llc/default#"));
    failed += result.outcome == "FAIL";
  }
  EXPECT_EQ(failed, 1);
  EXPECT_THAT(run.out, HasSubstr("FAIL does not fail the run: 1 of 2 runs "
                                 "passed, 1 must"));
}

}  // namespace
}  // namespace ktstr::e2e
