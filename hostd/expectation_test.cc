// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/expectation.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Classification Judged(v1::Outcome outcome,
                      const std::vector<v1::FindingKind>& kinds) {
  Classification judged = {.outcome = outcome};
  for (v1::FindingKind kind : kinds) {
    v1::Finding& finding = judged.findings.emplace_back();
    finding.set_kind(kind);
    finding.set_message("measured");
  }
  if (outcome != v1::PASS) judged.reason = "measured";
  return judged;
}

Classification Apply(const v1::Expectation& expectation, Classification judged,
                     v1::SchedulerExitKind exit = v1::EXIT_UNSPECIFIED) {
  ApplyExpectation(expectation, exit, &judged);
  return judged;
}

std::vector<int> Kinds(const Classification& judged) {
  std::vector<int> kinds;
  for (const v1::Finding& finding : judged.findings) {
    kinds.push_back(finding.kind());
  }
  return kinds;
}

v1::Expectation Finds(v1::FindingKind kind) {
  v1::Expectation expectation;
  expectation.add_findings(kind);
  return expectation;
}

v1::Expectation EndsBy(v1::SchedulerExitKind exit) {
  v1::Expectation expectation;
  expectation.set_scheduler_exit(exit);
  return expectation;
}

TEST(ExpectationTest, EmptyOneLeavesEverythingAsItIs) {
  for (v1::Outcome outcome : {v1::PASS, v1::FAIL, v1::ERROR, v1::MISS}) {
    EXPECT_EQ(Apply({}, Judged(outcome, {v1::STUCK})).outcome, outcome);
  }
}

TEST(ExpectationTest, WhatWasExpectedPassesAndSaysWhat) {
  Classification judged =
      Apply(Finds(v1::STUCK), Judged(v1::FAIL, {v1::STUCK}));
  EXPECT_EQ(judged.outcome, v1::PASS);
  EXPECT_EQ(judged.reason, "as expected: measured");
  ASSERT_EQ(judged.findings.size(), 1u);
  EXPECT_TRUE(judged.findings[0].is_expected());
}

TEST(ExpectationTest, PassIsAFailure) {
  Classification judged = Apply(Finds(v1::STUCK), Judged(v1::PASS, {}));
  EXPECT_EQ(judged.outcome, v1::FAIL);
  EXPECT_EQ(judged.reason, "expected STUCK, but the test passed");
  EXPECT_THAT(Kinds(judged), ElementsAre(v1::NOT_AS_EXPECTED));
}

TEST(ExpectationTest, AnotherFailureIsNotTheExpectedOne) {
  Classification judged =
      Apply(Finds(v1::STUCK), Judged(v1::FAIL, {v1::KERNEL_PANIC}));
  EXPECT_EQ(judged.outcome, v1::FAIL);
  EXPECT_THAT(judged.reason, HasSubstr("STUCK was not found"));
  EXPECT_THAT(Kinds(judged),
              ElementsAre(v1::NOT_AS_EXPECTED, v1::KERNEL_PANIC));
}

TEST(ExpectationTest, MoreThanWasExpectedIsAFailureUnlessTolerated) {
  v1::Expectation expectation = Finds(v1::STUCK);
  Classification both = Judged(v1::FAIL, {v1::STUCK, v1::UNFAIR});
  EXPECT_THAT(Apply(expectation, both).reason,
              HasSubstr("found was UNFAIR: measured"));
  expectation.add_also(v1::UNFAIR);
  EXPECT_EQ(Apply(expectation, both).outcome, v1::PASS);
  // Tolerated alone is not what was expected.
  EXPECT_EQ(Apply(expectation, Judged(v1::FAIL, {v1::UNFAIR})).outcome,
            v1::FAIL);
}

TEST(ExpectationTest, EveryExpectedKindMustBeFound) {
  v1::Expectation expectation = Finds(v1::STUCK);
  expectation.add_findings(v1::UNFAIR);
  EXPECT_THAT(Apply(expectation, Judged(v1::FAIL, {v1::STUCK})).reason,
              StartsWith("expected STUCK and UNFAIR, but UNFAIR was not"));
}

TEST(ExpectationTest, EndOfASchedulerBringsWhatWorkersSuffer) {
  Classification judged =
      Judged(v1::FAIL, {v1::SCHEDULER_STALLED, v1::STARVED, v1::STUCK});
  v1::Expectation stall = EndsBy(v1::EXIT_ERROR_STALL);
  EXPECT_EQ(Apply(stall, judged, v1::EXIT_ERROR_STALL).outcome, v1::PASS);
  EXPECT_THAT(Apply(stall, judged, v1::EXIT_ERROR_BPF).reason,
              StartsWith("expected a scheduler ended by EXIT_ERROR_STALL, but "
                         "the kernel said EXIT_ERROR_BPF"));
  judged.findings.emplace_back().set_kind(v1::ISOLATION);
  EXPECT_THAT(Apply(stall, judged, v1::EXIT_ERROR_STALL).reason,
              HasSubstr("found was ISOLATION"));
}

TEST(ExpectationTest, SchedulerThatWasOnlyDetachedDidNotEndAsExpected) {
  Classification judged =
      Apply(EndsBy(v1::EXIT_ERROR_STALL), Judged(v1::PASS, {}),
            v1::EXIT_UNREGISTERED_BY_USER);
  EXPECT_EQ(judged.outcome, v1::FAIL);
}

TEST(ExpectationTest, BrokenTestsAndMachinesAreNeverExpected) {
  for (v1::Outcome outcome : {v1::ERROR, v1::MISS, v1::SKIP, v1::CANCELLED}) {
    Classification judged = Apply(Finds(v1::STUCK), Judged(outcome, {}));
    EXPECT_EQ(judged.outcome, outcome);
    EXPECT_TRUE(judged.findings.empty());
  }
}

}  // namespace
}  // namespace ktstr::hostd
