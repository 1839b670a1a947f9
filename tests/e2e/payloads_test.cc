// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// External programs in guests: one submission of tests/guest/payloads.cc.
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::HasSubstr;

class PayloadsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    run_ = new SubmitRun(Submit({Program("payloads")}));
  }
  static void TearDownTestSuite() {
    delete run_;
    run_ = nullptr;
  }
  // By name.
  static std::map<std::string, nlohmann::json> Measurements(
      const VariantResult& result) {
    std::map<std::string, nlohmann::json> all;
    for (const nlohmann::json& one : result.file["measurements"]) {
      all[one["name"].get<std::string>()] = one;
    }
    return all;
  }
  static SubmitRun* run_;
};

SubmitRun* PayloadsTest::run_ = nullptr;

TEST_F(PayloadsTest, ProgramsRunWhereTheyArePutAndAreMeasured) {
  VariantResult result = run_->Of("measures");
  EXPECT_EQ(result.outcome, "PASS") << result.reason << result.finding_text;
  std::map<std::string, nlohmann::json> measured = Measurements(result);
  ASSERT_EQ(measured.count("place.answer"), 1u) << result.file["measurements"];
  EXPECT_EQ(measured["place.answer"]["value"], 42);
  EXPECT_EQ(measured["place.answer"]["unit"], "units");
  EXPECT_EQ(measured["place.cgroup.is_cg_0"]["value"], 0);
  EXPECT_EQ(measured["cg_0/place.cgroup.is_cg_0"]["value"], 1);
}

TEST_F(PayloadsTest, ACheckThatFailsFailsTheTest) {
  VariantResult result = run_->Of("check_fails");
  EXPECT_EQ(result.outcome, "FAIL") << result.reason;
  EXPECT_THAT(
      result.finding_text,
      HasSubstr("payload place: metric answer is 42, wanted at most 41"));
}

TEST_F(PayloadsTest, WhatIsStoppedAtTheEndOfItsStepStillSaysItsResults) {
  VariantResult result = run_->Of("measures");
  EXPECT_EQ(Measurements(result)["cg_1/background.at_end"]["value"], 1);
}

}  // namespace
}  // namespace ktstr::e2e
