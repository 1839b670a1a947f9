// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/merge.h"

#include <vector>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kconfig/fragments.h"

namespace ktstr::kconfig {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(MergeTest, KeepsEveryRequestInOrder) {
  std::vector<Fragment> fragments = {{"one",
                                      "CONFIG_A=y\n# CONFIG_B is not "
                                      "set"},
                                     {"two", "CONFIG_C=3"}};
  ASSERT_OK_AND_ASSIGN(MergedFragments merged, MergeFragments(fragments));
  EXPECT_EQ(merged.requested.Get("A"), "y");
  EXPECT_EQ(merged.requested.options().count("B"), 1u);
  EXPECT_EQ(merged.requested.Get("C"), "3");
  EXPECT_LT(merged.text.find("CONFIG_A"), merged.text.find("CONFIG_C"));
  // A fragment without a final newline does not swallow the next one.
  ASSERT_OK_AND_ASSIGN(Kconfig again, Kconfig::Parse(merged.text));
  EXPECT_EQ(again.options(), merged.requested.options());
}

TEST(MergeTest, RefusesContradictions) {
  std::vector<Fragment> fragments = {{"one", "CONFIG_A=y"},
                                     {"two", "# CONFIG_A is not set"}};
  EXPECT_THAT(MergeFragments(fragments),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("CONFIG_A"), HasSubstr("one wants y"),
                             HasSubstr("two wants n"))));
}

TEST(MergeTest, NamesTheFragmentThatDoesNotParse) {
  std::vector<Fragment> fragments = {{"odd", "nonsense"}};
  EXPECT_THAT(
      MergeFragments(fragments),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("fragment odd")));
}

TEST(OverlayTest, ItsValuesWinAndComeLast) {
  std::vector<Fragment> ours = {{"ours", "CONFIG_HZ=250\nCONFIG_A=y"}};
  ASSERT_OK_AND_ASSIGN(MergedFragments merged, MergeFragments(ours));
  ASSERT_OK_AND_ASSIGN(
      merged, OverlayFragment(merged, {"fast", "CONFIG_HZ=1000\nCONFIG_B=m"}));
  EXPECT_EQ(merged.requested.Get("HZ"), "1000");
  EXPECT_EQ(merged.requested.Get("A"), "y");
  EXPECT_EQ(merged.requested.Get("B"), "m");
  EXPECT_GT(merged.text.find("CONFIG_HZ=1000"),
            merged.text.find("CONFIG_HZ=250"));
}

TEST(OverlayTest, CannotTakeAwayWhatTestsNeed) {
  ASSERT_OK_AND_ASSIGN(MergedFragments ours,
                       MergeFragments(EmbeddedFragments()));
  EXPECT_THAT(OverlayFragment(ours, {"bad", "# CONFIG_CPUSETS is not set"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("fragment bad"),
                             HasSubstr("CONFIG_CPUSETS is n, needs y"))));
  EXPECT_THAT(
      OverlayFragment(ours, {"worse", "CONFIG_PROVE_LOCKING=y"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("distorts")));
  EXPECT_THAT(
      OverlayFragment(ours, {"odd", "nonsense"}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("fragment odd")));
}

TEST(MergeTest, HashDependsOnNamesOrderAndText) {
  std::vector<Fragment> ab = {{"a", "CONFIG_A=y"}, {"b", "CONFIG_B=y"}};
  std::vector<Fragment> ba = {{"b", "CONFIG_B=y"}, {"a", "CONFIG_A=y"}};
  std::vector<Fragment> ac = {{"a", "CONFIG_A=y"}, {"b", "CONFIG_C=y"}};
  EXPECT_EQ(FragmentsHash(ab).size(), 8u);
  EXPECT_EQ(FragmentsHash(ab), FragmentsHash(ab));
  EXPECT_NE(FragmentsHash(ab), FragmentsHash(ba));
  EXPECT_NE(FragmentsHash(ab), FragmentsHash(ac));
}

TEST(EmbeddedFragmentsTest, StartWithTheMachineAndMerge) {
  absl::Span<const Fragment> fragments = EmbeddedFragments();
  ASSERT_FALSE(fragments.empty());
  EXPECT_EQ(fragments[0].name, "base-x86_64");
  ASSERT_OK_AND_ASSIGN(MergedFragments merged, MergeFragments(fragments));
  EXPECT_EQ(merged.requested.Get("SCHED_CLASS_EXT"), "y");
  EXPECT_EQ(merged.requested.Get("NR_CPUS"), "256");
}

}  // namespace
}  // namespace ktstr::kconfig
