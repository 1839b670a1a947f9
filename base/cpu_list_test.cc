// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/cpu_list.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(CpuListTest, ParsesNumbersAndRanges) {
  EXPECT_THAT(ParseCpuList("0-3,5,7-8\n"),
              IsOkAndHolds(ElementsAre(0, 1, 2, 3, 5, 7, 8)));
}

TEST(CpuListTest, EmptyTextIsTheEmptySet) {
  EXPECT_THAT(ParseCpuList(""), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ(FormatCpuList({}), "");
}

TEST(CpuListTest, SortsAndRemovesDuplicates) {
  EXPECT_THAT(ParseCpuList("3,1,1-2"), IsOkAndHolds(ElementsAre(1, 2, 3)));
}

TEST(CpuListTest, RejectsReversedRangesByName) {
  EXPECT_THAT(ParseCpuList("0,5-3"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("5-3")));
}

TEST(CpuListTest, RejectsGarbageAndHugeNumbers) {
  for (const char* text : {"a", "1-", "-1", "1-2-3", "65536", "0x1"}) {
    EXPECT_THAT(ParseCpuList(text),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << text;
  }
}

TEST(CpuListTest, BoundsWorkOfRepeatedRanges) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "0-65535,";
  EXPECT_THAT(ParseCpuList(text), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(CpuListTest, FormatIsCompact) {
  EXPECT_EQ(FormatCpuList({0, 1, 2, 3, 5, 7, 8, 9}), "0-3,5,7-9");
}

}  // namespace
}  // namespace ktstr
