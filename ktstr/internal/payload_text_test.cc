// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_text.h"

#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

TEST(PayloadTextTest, WhatIsNotUtf8IsReplacedByteByByte) {
  const struct {
    absl::string_view bytes;
    absl::string_view text;
  } cases[] = {
      {"", ""},
      {"plain\n", "plain\n"},
      {absl::string_view("a\0b", 3), absl::string_view("a\0b", 3)},
      {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "é € 😀"},
      {"a\xff"
       "b",
       "a�b"},
      {"\x80\x80", "��"},
      {"\xe2\x82", "��"},            // cut off
      {"\xc0\xaf", "��"},            // overlong
      {"\xe0\x80\xaf", "���"},       // overlong
      {"\xed\xa0\x80", "���"},       // a surrogate
      {"\xf4\x90\x80\x80", "����"},  // beyond U+10FFFF
  };
  for (const auto& c : cases) EXPECT_EQ(ReplaceInvalidUtf8(c.bytes), c.text);
}

TEST(PayloadTextTest, TheEndBeginsWithAWholeCharacter) {
  EXPECT_EQ(EndOf("one two\n", 100), "one two");
  EXPECT_EQ(EndOf("one two\n", 4), "two");
  EXPECT_EQ(EndOf("a€b", 3), "b");
  EXPECT_EQ(EndOf("a€b", 4), "€b");
  EXPECT_EQ(EndOf("", 4), "");
}

}  // namespace
}  // namespace ktstr::internal
