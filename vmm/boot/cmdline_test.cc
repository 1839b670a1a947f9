// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/boot/cmdline.h"

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

TEST(CmdlineTest, JoinsArgumentsWithOneSpace) {
  EXPECT_THAT(Cmdline().Add("a=1").Add("").Add("  b c \n").Build(),
              IsOkAndHolds(std::string("a=1 b c")));
}

TEST(CmdlineTest, ArgumentsForTheKernelComeBeforeThoseForInit) {
  EXPECT_THAT(Cmdline().Add("a").AddForKernel("b").AddForKernel("").Build(),
              IsOkAndHolds(std::string("a b")));
  EXPECT_THAT(Cmdline().Add("a -- c -- d").AddForKernel("b").Build(),
              IsOkAndHolds(std::string("a b -- c -- d")));
  EXPECT_THAT(Cmdline().Add("-- c").AddForKernel("b").Build(),
              IsOkAndHolds(std::string("b -- c")));
  EXPECT_THAT(Cmdline().Add("a --").AddForKernel("b").Build(),
              IsOkAndHolds(std::string("a b --")));
  EXPECT_THAT(Cmdline().Add("x--y --z").AddForKernel("b").Build(),
              IsOkAndHolds(std::string("x--y --z b")));
}

TEST(CmdlineTest, RefusesLineEndsAndNul) {
  EXPECT_THAT(Cmdline().Add("a\nb").Build(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Cmdline().Add(absl::string_view("a\0b", 3)).Build(),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::vmm
