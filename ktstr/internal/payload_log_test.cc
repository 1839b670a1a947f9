// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_log.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

PayloadPlan Plan(std::string cgroup = "") {
  static constexpr PayloadDef kDef =
      PayloadDef{"fio"}.json().metric("z", Polarity::lower_better(), "us");
  PayloadPlan plan(std::make_shared<const PayloadDef>(kDef));
  plan.cgroup = std::move(cgroup);
  return plan;
}

PayloadResult Result(const std::vector<std::string>& names) {
  PayloadResult result;
  for (const std::string& name : names) {
    result.metrics.push_back({.name = name, .value = 1});
  }
  return result;
}

std::vector<std::string> Names(PayloadLog& log) {
  Verdict verdict;
  log.AddTo(verdict);
  std::vector<std::string> names;
  for (const Measurement& measurement : verdict.measurements) {
    names.push_back(measurement.name);
  }
  return names;
}

TEST(PayloadLogTest, EveryRunHasNamesOfItsOwn) {
  PayloadLog log;
  log.AddMetrics(Plan(), Result({"a"}));
  log.AddMetrics(Plan("cg_0"), Result({"a"}));
  log.AddMetrics(Plan(), Result({"a"}));
  log.AddMetrics(Plan("cg_0"), Result({"a"}));
  EXPECT_THAT(Names(log),
              ElementsAre("fio.a", "cg_0/fio.a", "fio-2.a", "cg_0/fio-2.a"));
}

TEST(PayloadLogTest, NamesAndUnitsAreWhatRecordsMayHave) {
  PayloadLog log;
  PayloadResult result =
      Result({"lat (us).50%", "µ", "µ", std::string(200, 'x'), ""});
  result.metrics[0].unit = "µs";
  result.metrics[1].unit = "ops/s";
  log.AddMetrics(Plan("a b"), result);
  Verdict verdict;
  log.AddTo(verdict);
  ASSERT_THAT(verdict.measurements, SizeIs(3));
  EXPECT_EQ(verdict.measurements[0].name, "a_b/fio.lat__us_.50_");
  EXPECT_EQ(verdict.measurements[0].unit, "");
  EXPECT_EQ(verdict.measurements[1].name, "a_b/fio.__");
  EXPECT_EQ(verdict.measurements[1].unit, "ops/s");
  EXPECT_EQ(verdict.measurements[2].name, "a_b/fio.");
}

TEST(PayloadLogTest, HintsGoFirstThenChecksThenTheOrderOfTheOutput) {
  PayloadLog log;
  PayloadPlan plan = Plan();
  plan.checks.emplace_back(PCheck::exists("y"));
  plan.checks.emplace_back(PCheck::exit_code(0));
  log.AddMetrics(plan, Result({"b", "a", "y", "z"}));
  EXPECT_THAT(Names(log), ElementsAre("fio.z", "fio.y", "fio.b", "fio.a"));
}

TEST(PayloadLogTest, ARunAndAnAttemptHaveTheirLimits) {
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back(absl::StrCat("m", i));
  many.push_back("z");
  PayloadLog log;
  log.AddMetrics(Plan(), Result(many));
  std::vector<std::string> names = Names(log);
  ASSERT_THAT(names, SizeIs(PayloadLog::kMaxOfRun));
  EXPECT_EQ(names[0], "fio.z");
  EXPECT_EQ(names[1], "fio.m0");
  for (int i = 0; i < 4; ++i) log.AddMetrics(Plan("cg"), Result(many));
  EXPECT_THAT(Names(log), SizeIs(PayloadLog::kMax));
}

TEST(PayloadLogTest, FindingsFailTheVerdictWhateverTheBodySays) {
  PayloadLog log;
  Verdict verdict = skip("nothing to do");
  log.AddTo(verdict);
  EXPECT_TRUE(verdict.skipped);
  log.AddFindings({{.message = "payload fio: exit code 1"}});
  log.AddTo(verdict);
  EXPECT_FALSE(verdict.passed);
  EXPECT_FALSE(verdict.skipped);
  ASSERT_THAT(verdict.findings, SizeIs(1));
  log.AddTo(verdict);
  EXPECT_THAT(verdict.findings, SizeIs(1));
}

}  // namespace
}  // namespace ktstr::internal
