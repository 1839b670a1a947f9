// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/constraints.h"

#include "base/status_matchers.h"
#include "gauntlet/preset.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::gauntlet {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Topology T(const char* text) { return Topology::Parse(text).value(); }

std::vector<std::string> Eligible(const Constraints& constraints) {
  std::vector<std::string> names;
  for (const Preset& preset : AllPresets()) {
    if (WhyExcluded(constraints, preset.topology).empty()) {
      names.push_back(preset.name);
    }
  }
  return names;
}

TEST(ConstraintsTest, DefaultsAdmitTheSmallPresetsOfOneNode) {
  EXPECT_THAT(
      Eligible({}),
      ElementsAre("tiny-1llc", "tiny-2llc", "odd-3llc", "odd-5llc", "odd-7llc",
                  "smt-2llc", "smt-3llc", "medium-4llc", "medium-8llc",
                  "large-4llc", "large-8llc", "medium-4llc-nosmt",
                  "medium-8llc-nosmt", "large-4llc-nosmt", "large-8llc-nosmt"));
}

TEST(ConstraintsTest, SmtAdmitsOnlyPresetsWithTwoThreads) {
  EXPECT_THAT(Eligible({.requires_smt = true}),
              ElementsAre("smt-2llc", "smt-3llc", "medium-4llc", "medium-8llc",
                          "large-4llc", "large-8llc"));
}

TEST(ConstraintsTest, ReasonNamesCountAndLimit) {
  EXPECT_EQ(WhyExcluded({.max_llcs = 2}, T("1n3l1c1t")),
            "3 LLCs, test allows at most 2");
  EXPECT_EQ(WhyExcluded({.min_cpus = 8}, T("1n1l1c1t")),
            "1 CPU, test needs at least 8");
  EXPECT_EQ(WhyExcluded({.requires_smt = true}, T("1n1l4c1t")),
            "1 thread per core, test needs SMT");
}

TEST(ConstraintsTest, GivesEveryReason) {
  EXPECT_EQ(WhyExcluded({}, T("2n14l9c2t")),
            "2 NUMA nodes, test allows at most 1; 14 LLCs, test allows at most "
            "12; 252 CPUs, test allows at most 192");
}

TEST(ConstraintsTest, BothEndsOfARangeAreInside) {
  Constraints constraints = {
      .min_llcs = 2, .max_llcs = 2, .min_cpus = 8, .max_cpus = 8};
  EXPECT_EQ(WhyExcluded(constraints, T("1n2l4c1t")), "");
}

TEST(ConstraintsTest, AbsentMaximumIsNoLimit) {
  Constraints constraints = {.max_numa_nodes = std::nullopt,
                             .max_llcs = std::nullopt,
                             .max_cpus = std::nullopt};
  EXPECT_EQ(Eligible(constraints).size(), 24);
}

TEST(ConstraintsTest, RejectsARangeWithoutMembers) {
  EXPECT_THAT(CheckConstraints({.min_llcs = 16}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("min_llcs is 16, above max_llcs")));
  EXPECT_THAT(CheckConstraints({.max_cpus = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckConstraints({.min_numa_nodes = -1}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::gauntlet
