// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/close_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::gauntlet {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CloseNamesTest, OffersTheClosestFirst) {
  EXPECT_THAT(CloseNames("tiny-1lcl", {"tiny-2llc", "tiny-1llc", "max-cpu"}),
              ElementsAre("tiny-1llc", "tiny-2llc"));
}

TEST(CloseNamesTest, OffersNamesThatContainTheText) {
  EXPECT_THAT(CloseNames("futex", {"futex_ping_pong_between_groups", "spin"}),
              ElementsAre("futex_ping_pong_between_groups"));
}

TEST(CloseNamesTest, NamesARepeatedNameOnce) {
  EXPECT_THAT(CloseNames("spin", {"spin1", "spin1"}), ElementsAre("spin1"));
}

TEST(CloseNamesTest, OffersNothingForOverlongText) {
  std::string text(1000, 'a');
  EXPECT_THAT(CloseNames(text, {text}), IsEmpty());
}

TEST(DidYouMeanTest, IsEmptyWithoutACloseName) {
  EXPECT_EQ(DidYouMean("zebra", {"tiny-1llc"}), "");
  EXPECT_EQ(DidYouMean("tin", {"tiny"}), " (did you mean tiny?)");
}

}  // namespace
}  // namespace ktstr::gauntlet
