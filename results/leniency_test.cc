// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/leniency.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

absl::Time Noon(int month, int day) {
  return absl::FromCivil(absl::CivilSecond(2027, month, day, 12),
                         absl::UTCTimeZone());
}

v1::Variant Result(const std::string& name, v1::Outcome outcome) {
  v1::Variant variant;
  variant.mutable_spec()->set_name(name);
  variant.mutable_result()->set_outcome(outcome);
  return variant;
}

v1::Variant Quarantined(v1::Outcome outcome) {
  v1::Variant variant = Result("ktstr/flaky", outcome);
  variant.mutable_spec()->mutable_quarantine()->set_reason("issue 12");
  variant.mutable_spec()->mutable_quarantine()->set_until("2027-01-31");
  return variant;
}

v1::Variant NthRun(int run, v1::Outcome outcome) {
  v1::Variant variant = Result("ktstr/t#" + std::to_string(run), outcome);
  v1::Repetition& repetition = *variant.mutable_spec()->mutable_repetition();
  repetition.set_run(run);
  repetition.set_of(3);
  repetition.set_require(2);
  return variant;
}

Leniency Of(const std::vector<v1::Variant>& variants,
            absl::Time now = Noon(1, 1)) {
  std::vector<const v1::Variant*> pointers;
  for (const v1::Variant& variant : variants) pointers.push_back(&variant);
  return Leniency(pointers, now);
}

TEST(LeniencyTest, OrdinaryFailuresCount) {
  const std::vector<v1::Variant> variants = {
      Result("a", v1::PASS), Result("b", v1::FAIL), Result("c", v1::ERROR),
      Result("d", v1::MISS), Result("e", v1::SKIP)};
  const Leniency leniency = Of(variants);
  EXPECT_EQ(leniency.failures(), 2);
  EXPECT_EQ(leniency.forgiven(), 0);
  EXPECT_THAT(leniency.Notes(), IsEmpty());
}

TEST(LeniencyTest, QuarantineHoldsThroughItsLastDay) {
  const std::vector<v1::Variant> variants = {
      Quarantined(v1::FAIL), Quarantined(v1::ERROR), Quarantined(v1::MISS),
      Quarantined(v1::PASS)};
  const Leniency within = Of(variants, Noon(1, 31));
  EXPECT_EQ(within.failures(), 0);
  EXPECT_EQ(within.forgiven(), 2);
  EXPECT_EQ(within.WhyForgiven(variants[0]),
            "quarantined until 2027-01-31 (issue 12)");
  EXPECT_EQ(within.WhyForgiven(variants[2]), "");
  EXPECT_EQ(within.WhyForgiven(variants[3]), "");
}

TEST(LeniencyTest, QuarantineThatIsOverIsSaid) {
  const std::vector<v1::Variant> variants = {Quarantined(v1::FAIL)};
  const Leniency after = Of(variants, Noon(2, 1));
  EXPECT_EQ(after.failures(), 1);
  EXPECT_THAT(after.Notes(),
              ElementsAre("ktstr/flaky: its quarantine is over since "
                          "2027-01-31 (issue 12), its failures count"));
}

TEST(LeniencyTest, EnoughPassesForgiveTheOtherRuns) {
  const std::vector<v1::Variant> variants = {
      NthRun(1, v1::PASS), NthRun(2, v1::FAIL), NthRun(3, v1::PASS)};
  const Leniency leniency = Of(variants);
  EXPECT_EQ(leniency.failures(), 0);
  EXPECT_THAT(leniency.Notes(),
              ElementsAre("ktstr/t#2: FAIL does not fail the run: 2 of 3 runs "
                          "passed, 2 must"));
}

TEST(LeniencyTest, TooFewPassesForgiveNothing) {
  // A run that missed is no pass.
  const std::vector<v1::Variant> variants = {
      NthRun(1, v1::PASS), NthRun(2, v1::FAIL), NthRun(3, v1::MISS)};
  EXPECT_EQ(Of(variants).failures(), 1);
}

TEST(LeniencyTest, ABrokenRunIsNotForgivenByOthers) {
  const std::vector<v1::Variant> variants = {
      NthRun(1, v1::PASS), NthRun(2, v1::ERROR), NthRun(3, v1::PASS)};
  EXPECT_EQ(Of(variants).failures(), 1);
}

TEST(LeniencyTest, OneRunAloneMustPass) {
  const std::vector<v1::Variant> variants = {NthRun(2, v1::FAIL)};
  EXPECT_EQ(Of(variants).failures(), 1);
}

TEST(LeniencyTest, RunsOfAnotherVariantForgiveNothing) {
  std::vector<v1::Variant> variants = {NthRun(1, v1::PASS), NthRun(2, v1::PASS),
                                       NthRun(3, v1::FAIL)};
  variants[2].mutable_spec()->set_name("ktstr/other#3");
  EXPECT_EQ(Of(variants).failures(), 1);
}

}  // namespace
}  // namespace ktstr::results
