// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/key_filter.h"

#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

TEST(KeyFilterTest, PassesWhatIsNotForUs) {
  KeyFilter filter;
  EXPECT_EQ(filter.Feed("x\x03\x1b[A\r").for_guest, "x\x03\x1b[A\r");
}

TEST(KeyFilterTest, PrefixAndXLeaves) {
  KeyFilter filter;
  KeyFilter::Result result = filter.Feed("ls\x01xrm");
  EXPECT_TRUE(result.wants_to_leave);
  EXPECT_EQ(result.for_guest, "ls");
  EXPECT_TRUE(KeyFilter().Feed("\x01X").wants_to_leave);
}

TEST(KeyFilterTest, PrefixTwiceIsOneForTheGuest) {
  KeyFilter filter;
  KeyFilter::Result result = filter.Feed("\x01\x01x");
  EXPECT_FALSE(result.wants_to_leave);
  EXPECT_EQ(result.for_guest, "\x01x");
}

TEST(KeyFilterTest, PrefixAndAnotherKeyBothArrive) {
  EXPECT_EQ(KeyFilter().Feed("\x01k").for_guest, "\x01k");
}

TEST(KeyFilterTest, KeysInPiecesAreTheSame) {
  KeyFilter filter;
  EXPECT_EQ(filter.Feed("\x01").for_guest, "");
  EXPECT_EQ(filter.Feed("\x01").for_guest, "\x01");
  EXPECT_EQ(filter.Feed("\x01").for_guest, "");
  EXPECT_TRUE(filter.Feed("x").wants_to_leave);
}

}  // namespace
}  // namespace ktstr::ktstrctl
