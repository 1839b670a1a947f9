// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/parse.h"

#include <string>

#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::kconfig {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

TEST(KconfigTest, ReadsValuesAndWhatIsNotSet) {
  ASSERT_OK_AND_ASSIGN(Kconfig config, Kconfig::Parse(R"(#
# Linux/x86 6.12.117 Kernel Configuration
#
CONFIG_SMP=y
CONFIG_VSOCKETS=m
# CONFIG_PSI is not set
CONFIG_HZ=250
CONFIG_LOCALVERSION="-a=b # c"
)"));
  EXPECT_EQ(config.Get("SMP"), "y");
  EXPECT_EQ(config.Get("PSI"), "n");
  EXPECT_EQ(config.Get("HZ"), "250");
  EXPECT_EQ(config.Get("LOCALVERSION"), "\"-a=b # c\"");
  EXPECT_TRUE(config.IsBuiltIn("SMP"));
  EXPECT_FALSE(config.IsBuiltIn("VSOCKETS"));
  EXPECT_TRUE(config.IsOn("VSOCKETS"));
  EXPECT_EQ(config.options().size(), 5u);
}

TEST(KconfigTest, TreatsSilenceAsNo) {
  ASSERT_OK_AND_ASSIGN(Kconfig config, Kconfig::Parse(""));
  EXPECT_EQ(config.Get("SMP"), "n");
  EXPECT_FALSE(config.IsOn("SMP"));
}

TEST(KconfigTest, LastLineWins) {
  ASSERT_OK_AND_ASSIGN(
      Kconfig config,
      Kconfig::Parse("CONFIG_A=y\n# CONFIG_A is not set\nCONFIG_B=1\n"
                     "CONFIG_B=2"));
  EXPECT_EQ(config.Get("A"), "n");
  EXPECT_EQ(config.Get("B"), "2");
}

TEST(KconfigTest, NamesTheLineThatIsNoOption) {
  EXPECT_THAT(Kconfig::Parse("CONFIG_A=y\n\nhello\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("line 3: \"hello\"")));
  EXPECT_THAT(Kconfig::Parse("CONFIG_A="),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Kconfig::Parse("CONFIG_=y"),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Kconfig::Parse("SMP=y"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(KconfigTest, IgnoresProseThatOnlyLooksLikeAnOption) {
  ASSERT_OK_AND_ASSIGN(
      Kconfig config,
      Kconfig::Parse("# CONFIG_A B is not set\n# CONFIG_ is not set\n#\n"));
  EXPECT_TRUE(config.options().empty());
}

TEST(KconfigTest, RefusesAnEndlessText) {
  EXPECT_THAT(Kconfig::Parse(std::string((16u << 20) + 1, '\n')),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::kconfig
