// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/filter.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::gauntlet {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(FilterTest, NoPatternWantsAllButIgnored) {
  Filter filter({});
  EXPECT_TRUE(filter.Wants("spin", "ktstr/spin", false));
  EXPECT_FALSE(filter.Wants("demo_spin", "ktstr/demo_spin", true));
}

TEST(FilterTest, GlobMatchesTestOrVariant) {
  Filter filter({"sp*", "gauntlet/*/tiny-?llc/*"});
  EXPECT_TRUE(filter.Wants("spin", "ktstr/spin", false));
  EXPECT_TRUE(filter.Wants("other", "gauntlet/other/tiny-1llc/a", false));
  EXPECT_FALSE(filter.Wants("other", "gauntlet/other/max-cpu/a", false));
  EXPECT_OK(filter.CheckEveryPatternMatched({}));
}

TEST(FilterTest, IgnoredTestMustBeSpelledOut) {
  Filter by_glob({"demo*"});
  EXPECT_FALSE(by_glob.Wants("demo_spin", "ktstr/demo_spin", true));
  EXPECT_THAT(
      by_glob.CheckEveryPatternMatched({}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("ignored by default"), HasSubstr("demo_spin"))));
  Filter by_name({"demo_spin"});
  EXPECT_TRUE(by_name.Wants("demo_spin", "ktstr/demo_spin", true));
}

TEST(FilterTest, UnmatchedPatternIsAnErrorWithCloseNames) {
  Filter filter({"spin", "futx"});
  EXPECT_TRUE(filter.Wants("spin", "ktstr/spin", false));
  EXPECT_THAT(filter.CheckEveryPatternMatched({"spin", "futex"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("filter \"futx\""),
                             HasSubstr("did you mean futex"))));
}

TEST(FilterTest, MalformedGlobMatchesItsOwnText) {
  Filter filter({"a[b"});
  EXPECT_TRUE(filter.Wants("a[b", "ktstr/a[b", false));
}

}  // namespace
}  // namespace ktstr::gauntlet
