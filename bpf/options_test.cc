// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "bpf/options.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace ktstr::bpf {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

Options Parsed(const std::vector<std::string>& args) {
  absl::StatusOr<Options> options = ParseOptions(args);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.ok() ? *options : Options();
}

TEST(OptionsTest, NothingGivenMeansBehavingForEver) {
  Options options = Parsed({});
  EXPECT_EQ(options.misbehavior, Misbehavior::kNone);
  EXPECT_FALSE(options.has_queue_per_llc);
  EXPECT_EQ(options.slice, absl::Milliseconds(20));
  EXPECT_EQ(options.watchdog, absl::Seconds(30));
  EXPECT_EQ(options.exit_after, absl::InfiniteDuration());
  EXPECT_EQ(options.to_print, "");
}

TEST(OptionsTest, EveryLengthHasItsUnit) {
  Options options = Parsed({"--slice-us", "1500", "--watchdog-ms=250",
                            "--exit-after", "0.5", "--crash", "--after", "2"});
  EXPECT_EQ(options.slice, absl::Microseconds(1500));
  EXPECT_EQ(options.watchdog, absl::Milliseconds(250));
  EXPECT_EQ(options.exit_after, absl::Milliseconds(500));
  EXPECT_EQ(options.after, absl::Seconds(2));
}

struct SwitchCase {
  std::vector<std::string> args;
  Misbehavior misbehavior;
  uint32_t argument = 0;
};

class SwitchTest : public ::testing::TestWithParam<SwitchCase> {};

TEST_P(SwitchTest, AsksForItsMisbehavior) {
  Options options = Parsed(GetParam().args);
  EXPECT_EQ(options.misbehavior, GetParam().misbehavior);
  EXPECT_EQ(options.argument, GetParam().argument);
}

INSTANTIATE_TEST_SUITE_P(
    All, SwitchTest,
    ::testing::Values(
        SwitchCase{{"--stall-one", "7"}, Misbehavior::kStallOne},
        SwitchCase{{"--stall-all"}, Misbehavior::kStallAll},
        SwitchCase{{"--drop", "64"}, Misbehavior::kDrop, 64},
        SwitchCase{{"--crash"}, Misbehavior::kCrash},
        SwitchCase{{"--one-cpu", "0"}, Misbehavior::kOneCpu, 0},
        SwitchCase{{"--one-cpu", "511"}, Misbehavior::kOneCpu, 511},
        SwitchCase{{"--ignore-affinity"}, Misbehavior::kIgnoreAffinity},
        SwitchCase{{"--ignore-cpuset"}, Misbehavior::kIgnoreCpuset},
        SwitchCase{{"--unfair", "7"}, Misbehavior::kUnfair},
        SwitchCase{{"--reject-load"}, Misbehavior::kRejectLoad},
        SwitchCase{{"--verifier-loop"}, Misbehavior::kVerifierLoop}));

TEST(OptionsTest, ChosenTaskIsAPidWhenItIsANumber) {
  Options options = Parsed({"--stall-one", "1234"});
  EXPECT_EQ(options.chosen_pid, 1234);
  EXPECT_EQ(options.chosen_name, "");
}

TEST(OptionsTest, ChosenTaskIsThePrefixOfANameOtherwise) {
  Options options = Parsed({"--stall-one", "kworker/0:1"});
  EXPECT_EQ(options.chosen_pid, 0);
  EXPECT_EQ(options.chosen_name, "kworker/0:1");
}

// What is wrong and what would be right, in one sentence.
struct BadCase {
  std::vector<std::string> args;
  std::vector<std::string> says;
};

class BadOptionsTest : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadOptionsTest, AreRefusedInOneClearSentence) {
  for (const std::string& text : GetParam().says) {
    EXPECT_THAT(
        ParseOptions(GetParam().args),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 ::testing::AllOf(HasSubstr(text), Not(HasSubstr("\n")))));
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadOptionsTest,
    ::testing::Values(
        BadCase{{"--bogus"}, {"--bogus", "--help"}},
        BadCase{{"word"}, {"word", "--help"}},
        BadCase{{"--slice-us"}, {"--slice-us", "MICROSECONDS"}},
        BadCase{{"--slice-us", "1"}, {"\"1\"", "microseconds from 100 to"}},
        BadCase{{"--slice-us", "1000001"}, {"to 1000000"}},
        BadCase{{"--slice-us", ""}, {"--slice-us \"\"", "from 100"}},
        BadCase{{"--watchdog-ms", "30001"}, {"milliseconds from 100 to 30000"}},
        BadCase{{"--exit-after", "nan"}, {"\"nan\"", "seconds from 0"}},
        BadCase{{"--exit-after=-1"}, {"\"-1\"", "from 0 to 86400"}},
        BadCase{{"--drop", "0"}, {"--drop \"0\"", "from 1 to"}},
        BadCase{{"--drop", "3x"}, {"\"3x\"", "whole number"}},
        BadCase{{"--one-cpu", "512"}, {"\"512\"", "from 0 to 511"}},
        BadCase{{"--unfair", "0"}, {"--unfair 0", "1 to 2147483647"}},
        BadCase{{"--stall-one", ""}, {"--stall-one", "1 to 15 bytes"}},
        BadCase{{"--stall-one", "0"}, {"--stall-one 0", "1 to 2147483647"}},
        BadCase{{"--stall-one", "2147483648"}, {"1 to 2147483647"}},
        BadCase{{"--stall-one", "sixteen bytes ab"}, {"1 to 15 bytes"}},
        BadCase{{"--crash", "--stall-all"}, {"--stall-all or --crash"}},
        BadCase{{"--steal"}, {"--steal needs --llc"}},
        BadCase{{"--after", "1"}, {"--after", "--exit-after"}},
        BadCase{{"--after", "1", "--reject-load"}, {"--reject-load"}}));

TEST(OptionsTest, HelpNamesEveryOptionButTheHiddenOne) {
  std::string help = Parsed({"--help"}).to_print;
  for (const char* name :
       {"--llc", "--steal", "--slice-us", "--watchdog-ms", "--exit-after",
        "--after", "--stall-one", "--stall-all", "--drop", "--crash",
        "--one-cpu", "--ignore-affinity", "--ignore-cpuset", "--unfair",
        "--reject-load", "--verifier-loop"}) {
    EXPECT_THAT(help, HasSubstr(name));
  }
  EXPECT_THAT(help, Not(HasSubstr("--ktstr-list-flags")));
}

TEST(OptionsTest, ListedFlagsAreUsableTogether) {
  nlohmann::json flags =
      nlohmann::json::parse(Parsed({"--ktstr-list-flags"}).to_print);
  ASSERT_EQ(flags.size(), 3);
  EXPECT_EQ(flags[1], nlohmann::json::parse(
                          R"({"name": "steal", "args": ["--steal"],
                              "requires": ["llc"]})"));
  std::vector<std::string> all;
  for (const nlohmann::json& flag : flags) {
    for (const nlohmann::json& arg : flag["args"]) all.push_back(arg);
  }
  Options options = Parsed(all);
  EXPECT_TRUE(options.has_queue_per_llc);
  EXPECT_TRUE(options.may_steal);
  EXPECT_EQ(options.slice, absl::Milliseconds(1));
}

}  // namespace
}  // namespace ktstr::bpf
