// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/preset.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::gauntlet {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(PresetTest, ThereAreTwentyFour) { EXPECT_EQ(AllPresets().size(), 24); }

TEST(PresetTest, FourteenHaveOneThreadPerCore) {
  int without_smt = 0;
  for (const Preset& preset : AllPresets()) {
    if (!preset.topology.has_smt()) ++without_smt;
  }
  EXPECT_EQ(without_smt, 14);
}

TEST(PresetTest, FindsInTheOrderGivenAndOnce) {
  ASSERT_OK_AND_ASSIGN(std::vector<Preset> found,
                       FindPresets({"smt-2llc", "tiny-1llc", "smt-2llc"}));
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[0].topology.ToString(), "1n2l2c2t");
  EXPECT_EQ(found[1].topology.ToString(), "1n1l4c1t");
}

TEST(PresetTest, UnknownNameIsAnsweredWithCloseOnesAndAll) {
  EXPECT_THAT(FindPresets({"tiny-1lc"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("unknown preset \"tiny-1lc\""),
                             HasSubstr("did you mean tiny-1llc"),
                             HasSubstr("numa4-12llc"))));
}

}  // namespace
}  // namespace ktstr::gauntlet
