// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Every way a test can go wrong has its own outcome. One submission of the
// suite that misbehaves on purpose; each test below looks at one of its
// variants.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// When the phase was reached, since the start of vmm.
double MillisecondsOf(const VariantResult& result, const std::string& phase) {
  for (const auto& evidence : result.file["phases"]) {
    if (evidence.value("phase", "") == phase) {
      return evidence.value("since_start_ms", 0.0);
    }
  }
  ADD_FAILURE() << "no phase " << phase << " in " << result.file.dump(1);
  return 0;
}

class OutcomeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    run_ = new SubmitRun(Submit({Program("broken"), "--preset", "tiny-1llc"}));
  }
  static void TearDownTestSuite() {
    delete run_;
    run_ = nullptr;
  }
  static SubmitRun* run_;
};

SubmitRun* OutcomeTest::run_ = nullptr;

TEST_F(OutcomeTest, FailuresMakeTheExitCodeOne) {
  EXPECT_EQ(run_->exit.code, 1) << run_->out << run_->err;
}

TEST_F(OutcomeTest, StarvedWorkerIsFailWithNumbers) {
  VariantResult result = run_->Of("rt_hog_starves");
  EXPECT_EQ(result.outcome, "FAIL") << result.reason;
  EXPECT_THAT(result.finding_text, ContainsRegex("[0-9]+"));
  EXPECT_THAT(result.finding_kinds,
              ::testing::AnyOf(Contains("STARVED"), Contains("STUCK"),
                               Contains("UNFAIR")));
}

TEST_F(OutcomeTest, CrashingTestBinaryIsError) {
  VariantResult result = run_->Of("crashes");
  EXPECT_EQ(result.outcome, "ERROR") << result.reason;
  EXPECT_THAT(result.finding_kinds, Contains("TEST_CRASHED"));
}

TEST_F(OutcomeTest, ErrorOfTheBodyIsError) {
  EXPECT_EQ(run_->Of("body_error").outcome, "ERROR");
}

TEST_F(OutcomeTest, ExitWithoutVerdictIsError) {
  EXPECT_EQ(run_->Of("exits_silently").outcome, "ERROR");
}

TEST_F(OutcomeTest, HangingTestIsEndedByItsBudgetAndIsError) {
  VariantResult result = run_->Of("hangs");
  EXPECT_EQ(result.outcome, "ERROR") << result.reason;
}

TEST_F(OutcomeTest, KernelPanicIsTypedAsSuch) {
  VariantResult result = run_->Of("panics_kernel");
  EXPECT_EQ(result.outcome, "FAIL") << result.reason;
  EXPECT_THAT(result.finding_kinds, Contains("KERNEL_PANIC"));
  EXPECT_THAT(result.reason, HasSubstr("panic"));
  // The test panics the kernel first thing; the machine ends within a second of
  // the panic line, where a second of the guest takes a second.
  double limit_ms =
      result.file["host"].value("host_class", "") == "emulated" ? 3000 : 1000;
  EXPECT_LT(MillisecondsOf(result, "SHUT_DOWN") -
                MillisecondsOf(result, "WORKLOAD_STARTED"),
            limit_ms);
}

TEST_F(OutcomeTest, SkipKeepsItsReason) {
  VariantResult result = run_->Of("skips");
  EXPECT_EQ(result.outcome, "SKIP");
  EXPECT_NE(result.reason, "");
}

TEST_F(OutcomeTest, FloodOfOutputChangesNothing) {
  EXPECT_EQ(run_->Of("floods_output").outcome, "PASS");
}

}  // namespace
}  // namespace ktstr::e2e
