// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/recorder.h"

#include <cmath>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(RecorderTest, NumbersGoIntoTheVerdictInOrder) {
  Recorder recorder;
  recorder.Add({.name = "b/latency-p99.9",
                .value = 12.5,
                .unit = "us",
                .polarity = Polarity::lower_better()});
  recorder.Add({.name = "a", .value = -1});
  Verdict verdict;
  recorder.AddTo(verdict);
  EXPECT_TRUE(verdict.passed);
  ASSERT_THAT(verdict.measurements, SizeIs(2));
  EXPECT_EQ(verdict.measurements[0].name, "b/latency-p99.9");
  EXPECT_EQ(verdict.measurements[0].value, 12.5);
  EXPECT_EQ(verdict.measurements[1].polarity.kind, Polarity::Kind::kUnknown);
}

TEST(RecorderTest, WhatIsNoNumberWithANameBreaksTheTest) {
  const double kInfinity = std::numeric_limits<double>::infinity();
  const struct {
    Measurement measurement;
    const char* message;
  } kCases[] = {
      {{.name = "", .value = 1}, "a name is 1 to 128"},
      {{.name = "two words", .value = 1}, "record(\"two words\"): a name"},
      {{.name = std::string(129, 'x'), .value = 1}, "a name is 1 to 128"},
      {{.name = "a\n", .value = 1}, "record(\"a\\n\")"},
      {{.name = "a", .value = std::nan("")}, "the value nan is not finite"},
      {{.name = "a", .value = -kInfinity}, "the value -inf is not finite"},
      {{.name = "a", .value = 1, .unit = std::string(33, 'x')},
       "a unit is at most 32"},
      {{.name = "a", .value = 1, .unit = "\x01"}, "a unit is at most 32"},
      {{.name = "a", .value = 1, .polarity = Polarity::target(kInfinity)},
       "the target inf is not finite"},
  };
  for (const auto& c : kCases) {
    Recorder recorder;
    recorder.Add(c.measurement);
    recorder.Add({.name = "good", .value = 1});
    Verdict verdict;
    recorder.AddTo(verdict);
    EXPECT_THAT(verdict.measurements, SizeIs(1));
    ASSERT_THAT(verdict.findings, SizeIs(1)) << c.message;
    EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
    EXPECT_THAT(verdict.findings[0].message, HasSubstr(c.message));
  }
}

TEST(RecorderTest, NamesAreUniqueAndTheirNumberIsBounded) {
  Recorder recorder;
  for (size_t i = 0; i < Recorder::kMax; ++i) {
    recorder.Add({.name = std::to_string(i), .value = 1});
  }
  Verdict verdict;
  Recorder full = recorder;
  full.AddTo(verdict);
  EXPECT_THAT(verdict.findings, IsEmpty());
  full = recorder;
  full.Add({.name = "one-more", .value = 1});
  full.AddTo(verdict);
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("at most 256 numbers"));
  verdict = Verdict{};
  recorder.Add({.name = "17", .value = 1});
  recorder.AddTo(verdict);
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("recorded already"));
  EXPECT_THAT(verdict.measurements, SizeIs(Recorder::kMax));
}

}  // namespace
}  // namespace ktstr::internal
