// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/map_write_rules.h"

#include "gtest/gtest.h"

namespace ktstr {
namespace {

TEST(MapWriteRulesTest, SuffixIsWhatANameMayEndWith) {
  for (const char* good : {".bss", ".rodata", "s", "scx_fixture.bss", "A_9."}) {
    EXPECT_EQ(MapSuffixProblem(good), nullptr) << good;
  }
  EXPECT_STREQ(MapSuffixProblem(""), "is empty");
  for (const char* bad :
       {"scx_fixtures.bss", "my .bss", "a/b", "a-b", "\xc3"}) {
    EXPECT_NE(MapSuffixProblem(bad), nullptr) << bad;
  }
}

TEST(MapWriteRulesTest, OffsetIsThatOfAnAlignedWord) {
  EXPECT_EQ(MapOffsetProblem(0), nullptr);
  EXPECT_EQ(MapOffsetProblem(4294967292u), nullptr);
  for (uint32_t offset : {1u, 2u, 3u, 4294967295u}) {
    EXPECT_STREQ(MapOffsetProblem(offset), "is no multiple of 4");
  }
}

}  // namespace
}  // namespace ktstr
