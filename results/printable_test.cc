// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/printable.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::results {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::IsEmpty;

TEST(PrintableTest, KeepsTextLineFeedsAndTabs) {
  EXPECT_EQ(Printable("a\tb\nü €"), "a\tb\nü €");
}

TEST(PrintableTest, NeutralisesEscapeSequences) {
  EXPECT_EQ(Printable("\x1b[31mred\x1b]0;title\x07"),
            "\\x1b[31mred\\x1b]0;title\\x07");
}

TEST(PrintableTest, NeutralisesC1ControlsAndOverrides) {
  // U+009B is a control sequence introducer by itself, U+202E reorders.
  EXPECT_EQ(Printable("\xC2\x9B"
                      "31m"),
            "\\u{9b}31m");
  EXPECT_EQ(Printable("\xE2\x80\xAE"), "\\u{202e}");
}

TEST(PrintableTest, ShowsInvalidUtf8ByteByByte) {
  EXPECT_EQ(Printable("\xff\xc0\x80"), "\\xff\\xc0\\x80");
  EXPECT_EQ(Printable("\xe2\x82"), "\\xe2\\x82");           // cut off
  EXPECT_EQ(Printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
}

TEST(PrintableTest, DropsCarriageReturnOnlyBeforeLineFeed) {
  EXPECT_EQ(Printable("a\r\nb\rc"), "a\nb\\x0dc");
}

TEST(PrintableTest, ShowsNulBytes) {
  EXPECT_EQ(Printable(absl::string_view("a\0b", 3)), "a\\x00b");
}

TEST(PrintableLineTest, JoinsAndCuts) {
  EXPECT_EQ(PrintableLine("  a\nb\tc\n"), "a b c");
  EXPECT_EQ(PrintableLine("abcdef", 3), "abc...");
  // Never cuts inside a character.
  EXPECT_EQ(PrintableLine("aü", 2), "a...");
}

TEST(PrintableLineTest, LimitsWhatEscapesGrowTo) {
  std::string line = PrintableLine(std::string(1000, '\x1b'), 100);
  EXPECT_LE(line.size(), 103u);
  EXPECT_THAT(line, EndsWith("..."));
}

TEST(LastLinesTest, TakesTheEndWithoutTrailingEmptyLines) {
  EXPECT_THAT(LastLines("a\nb\r\nc\n\n \n", 2), ElementsAre("b", "c"));
  EXPECT_THAT(LastLines("a\nb", -1), ElementsAre("a", "b"));
  EXPECT_THAT(LastLines("\n\n", 5), IsEmpty());
  EXPECT_THAT(LastLines("", 5), IsEmpty());
}

TEST(ShortDurationTest, PicksAUnit) {
  EXPECT_EQ(ShortDuration(1.234), "1.23 s");
  EXPECT_EQ(ShortDuration(12.34), "12.3 s");
  EXPECT_EQ(ShortDuration(125), "2m 05s");
  EXPECT_EQ(ShortDuration(3720), "1h 02m");
  EXPECT_EQ(ShortDuration(-1), "?");
}

}  // namespace
}  // namespace ktstr::results
