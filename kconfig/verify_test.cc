// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/verify.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kconfig/requirements.h"

namespace ktstr::kconfig {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

Kconfig MakeConfig(absl::string_view text) {
  absl::StatusOr<Kconfig> config = Kconfig::Parse(text);
  EXPECT_OK(config.status());
  return *std::move(config);
}

TEST(VerifyTest, ReportsWhatDidNotSurvive) {
  Kconfig requested = MakeConfig(
      "CONFIG_SCHED_CLASS_EXT=y\nCONFIG_SMP=y\nCONFIG_HZ=250\n"
      "# CONFIG_PSI is not set\n# CONFIG_GONE is not set\n");
  Kconfig actual = MakeConfig("CONFIG_SMP=y\nCONFIG_HZ=100\nCONFIG_PSI=y\n");
  std::vector<MissingOption> missing = Verify(requested, actual);
  ASSERT_EQ(missing.size(), 3u);
  EXPECT_EQ(missing[0].ToString(), "CONFIG_HZ is 100, needs 250");
  EXPECT_EQ(missing[1].option, "PSI");
  EXPECT_EQ(missing[1].wanted, "n");
  EXPECT_EQ(missing[2].ToString(),
            "CONFIG_SCHED_CLASS_EXT is n, needs y: sched_ext schedulers "
            "cannot attach");
}

TEST(VerifyTest, IsContentWithMoreThanWasAsked) {
  EXPECT_TRUE(
      Verify(MakeConfig("CONFIG_A=y"), MakeConfig("CONFIG_A=y\nCONFIG_B=y"))
          .empty());
}

TEST(MissingForTest, NamesTheOptionAndTheLostFeature) {
  Kconfig config = MakeConfig(
      "CONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_BPF_JIT=y\n"
      "CONFIG_DEBUG_INFO_BTF=y\nCONFIG_EXT_GROUP_SCHED=y\n");
  std::vector<MissingOption> missing =
      MissingFor(Requirement::kSchedExt, config);
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].option, "SCHED_CLASS_EXT");
  EXPECT_THAT(missing[0].feature, HasSubstr("attach"));
}

TEST(MissingForTest, AcceptsModulesForTheChannelOnly) {
  Kconfig config = MakeConfig(
      "CONFIG_NET=y\nCONFIG_VIRTIO_MMIO=m\nCONFIG_VSOCKETS=m\n"
      "CONFIG_VIRTIO_VSOCKETS=m\nCONFIG_SCHED_CLASS_EXT=m\n");
  EXPECT_TRUE(MissingFor(Requirement::kChannel, config).empty());
  EXPECT_FALSE(MissingFor(Requirement::kSchedExt, config).empty());
}

TEST(MissingForTest, OptionsThatMustBeOffAreReportedWhenOn) {
  Kconfig config = MakeConfig("CONFIG_PROVE_LOCKING=y");
  bool is_reported = false;
  for (const MissingOption& option :
       MissingFor(Requirement::kMonitor, config)) {
    is_reported |= option.option == "PROVE_LOCKING" && option.wanted == "n";
  }
  EXPECT_TRUE(is_reported);
}

TEST(RequirementsTest, EveryRowIsAskedForByAFragmentAndExplained) {
  ASSERT_OK_AND_ASSIGN(MergedFragments merged,
                       MergeFragments(EmbeddedFragments()));
  std::set<std::pair<int, absl::string_view>> seen;
  for (const RequiredOption& row : RequiredOptions()) {
    EXPECT_FALSE(row.feature.empty()) << row.option;
    EXPECT_TRUE(seen.emplace(int(row.requirement), row.option).second)
        << row.option << " appears twice";
    absl::string_view wanted = row.wanted == "m or y" ? "y" : row.wanted;
    EXPECT_EQ(merged.requested.Get(row.option), wanted) << row.option;
  }
}

// The configuration of a kernel of ours, as far as it was asked for: a build
// keeps every option of it or fails.
TEST(RequirementsTest, EachSingleOptionThatIsLostIsRefusedAndExplained) {
  ASSERT_OK_AND_ASSIGN(MergedFragments merged,
                       MergeFragments(EmbeddedFragments()));
  for (Requirement requirement : AllRequirements()) {
    EXPECT_TRUE(MissingFor(requirement, merged.requested).empty())
        << RequirementName(requirement);
  }
  for (const RequiredOption& row : RequiredOptions()) {
    SCOPED_TRACE(row.option);
    Kconfig config = merged.requested;
    config.Set(row.option, row.wanted == "n" ? "y" : "n");
    const std::vector<MissingOption> missing =
        MissingFor(row.requirement, config);
    ASSERT_EQ(missing.size(), 1u);
    EXPECT_EQ(missing[0].option, row.option);
    EXPECT_EQ(missing[0].feature, row.feature);
    const auto is_named =
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr(absl::StrCat("CONFIG_", row.option, " is ")),
                       HasSubstr(std::string(row.feature))));
    EXPECT_THAT(ToStatus("kernel x", missing), is_named);
    // What a build says of an option that did not survive: of several features
    // that need it, the first.
    const std::vector<MissingOption> lost = Verify(merged.requested, config);
    ASSERT_EQ(lost.size(), 1u);
    EXPECT_EQ(lost[0].option, row.option);
    EXPECT_FALSE(lost[0].feature.empty());
  }
}

TEST(RequirementsTest, EveryRequirementHasOptionsAndAName) {
  for (Requirement requirement : AllRequirements()) {
    EXPECT_NE(RequirementName(requirement), "unspecified");
    EXPECT_FALSE(MissingFor(requirement, Kconfig()).empty())
        << RequirementName(requirement);
  }
}

TEST(ToStatusTest, PutsEveryOptionInOneSentence) {
  EXPECT_OK(ToStatus("kernel x", {}));
  std::vector<MissingOption> missing = {{"A", "y", "n", "no a"},
                                        {"B", "y", "n", "no b"}};
  EXPECT_THAT(ToStatus("kernel x", missing),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("kernel x: 2 options"),
                             HasSubstr("CONFIG_A is n, needs y: no a; "
                                       "CONFIG_B is n, needs y: no b"))));
}

}  // namespace
}  // namespace ktstr::kconfig
