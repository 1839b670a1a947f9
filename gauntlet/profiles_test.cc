// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/profiles.h"

#include <algorithm>
#include <set>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace ktstr::gauntlet {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Flag> Catalogue() {
  return {{"llc"},   {"borrow"},     {"steal", {}, {"llc"}},
          {"rebal"}, {"reject-pin"}, {"no-ctrl"}};
}

std::vector<std::string> Names(
    const absl::StatusOr<std::vector<Profile>>& profiles) {
  std::vector<std::string> names;
  if (!profiles.ok()) return {profiles.status().ToString()};
  for (const Profile& profile : *profiles) names.push_back(profile.name);
  return names;
}

TEST(ProfilesTest, CatalogueHasFortyEight) {
  EXPECT_EQ(AllProfiles(Catalogue(), {}).value().size(), 48);
  EXPECT_EQ(AllProfiles(Catalogue(), {.required = {"steal"}}).value().size(),
            16);
  EXPECT_EQ(
      AllProfiles(Catalogue(), {.required = {"borrow"}, .excluded = {"rebal"}})
          .value()
          .size(),
      12);
}

TEST(ProfilesTest, AreInSubsetOrder) {
  std::vector<Flag> flags = {{"llc"}, {"borrow"}, {"steal", {}, {"llc"}}};
  EXPECT_THAT(Names(AllProfiles(flags, {})),
              ElementsAre("default", "llc", "borrow", "llc+borrow", "llc+steal",
                          "llc+borrow+steal"));
}

TEST(ProfilesTest, RequiredAndExcludedFlags) {
  std::vector<Flag> flags = {{"llc"}, {"steal", {}, {"llc"}}, {"borrow"}};
  EXPECT_THAT(
      Names(AllProfiles(flags, {.required = {"llc"}, .excluded = {"borrow"}})),
      ElementsAre("llc", "llc+steal"));
}

TEST(ProfilesTest, NoFlagsGiveTheDefaultProfile) {
  EXPECT_THAT(Names(AllProfiles({}, {})), ElementsAre("default"));
}

TEST(ProfilesTest, ArgumentsFollowDeclarationOrder) {
  std::vector<Flag> flags = {{"a", {"--a", "1 2"}}, {"b", {"--b"}}};
  ASSERT_OK_AND_ASSIGN(Profile profile,
                       BaseProfile(flags, {.required = {"b", "a"}}));
  EXPECT_EQ(profile.name, "a+b");
  EXPECT_THAT(profile.args, ElementsAre("--a", "1 2", "--b"));
}

TEST(ProfilesTest, BaseProfileClosesOverNeeds) {
  std::vector<Flag> flags = {
      {"llc"}, {"steal", {}, {"llc"}}, {"far", {}, {"steal"}}, {"other"}};
  ASSERT_OK_AND_ASSIGN(Profile profile,
                       BaseProfile(flags, {.required = {"far"}}));
  EXPECT_EQ(profile.name, "llc+steal+far");
}

TEST(ProfilesTest, ContradictionsAreErrors) {
  std::vector<Flag> flags = {
      {"llc"}, {"steal", {}, {"llc"}}, {"far", {}, {"steal"}}};
  EXPECT_THAT(AllProfiles(flags, {.required = {"far"}, .excluded = {"llc"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("required flag \"far\" needs flag \"llc\"")));
  EXPECT_THAT(BaseProfile(flags, {.required = {"llc"}, .excluded = {"llc"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("both required and excluded")));
}

TEST(ProfilesTest, UnknownFlagsAreErrorsThatListTheKnown) {
  EXPECT_THAT(AllProfiles(Catalogue(), {.required = {"lcl"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("\"lcl\""), HasSubstr("reject-pin"))));
  EXPECT_THAT(AllProfiles({}, {.excluded = {"a"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("declares no flags")));
  EXPECT_THAT(AllProfiles(std::vector<Flag>{{"a", {}, {"b"}}}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ProfilesTest, TooManyAreRefusedQuickly) {
  std::vector<Flag> flags;
  for (int i = 0; i < 32; ++i) flags.push_back({std::string(1, 'A' + i)});
  EXPECT_THAT(AllProfiles(flags, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("32 optional flags")));
  flags.pop_back();
  EXPECT_THAT(AllProfiles(flags, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("more than 100000")));
}

// Flags "0".."n-1" with arbitrary needs, and an arbitrary choice.
struct Case {
  std::vector<Flag> flags;
  FlagChoice choice;
};

Case ArbitraryCase() {
  Case result;
  const int count = *rc::gen::inRange(0, 8);
  for (int i = 0; i < count; ++i) {
    Flag flag{std::to_string(i)};
    for (int j = 0; j < count; ++j) {
      if (*rc::gen::inRange(0, 6) == 0) {
        flag.requires_flags.push_back(std::to_string(j));
      }
    }
    int kind = *rc::gen::inRange(0, 6);
    if (kind == 0) result.choice.required.push_back(flag.name);
    if (kind == 1) result.choice.excluded.push_back(flag.name);
    result.flags.push_back(std::move(flag));
  }
  return result;
}

RC_GTEST_PROP(ProfilesPropertyTest, EveryProfileIsValidAndDistinct, ()) {
  Case c = ArbitraryCase();
  absl::StatusOr<std::vector<Profile>> profiles =
      AllProfiles(c.flags, c.choice);
  RC_PRE(profiles.ok());
  RC_ASSERT(!profiles->empty());
  std::set<std::string> names;
  for (const Profile& profile : *profiles) {
    RC_ASSERT(names.insert(profile.name).second);
    std::set<std::string> members(profile.flags.begin(), profile.flags.end());
    for (const std::string& flag : c.choice.required) {
      RC_ASSERT(members.count(flag) == 1);
    }
    for (const std::string& flag : c.choice.excluded) {
      RC_ASSERT(members.count(flag) == 0);
    }
    for (const Flag& flag : c.flags) {
      if (!members.count(flag.name)) continue;
      for (const std::string& need : flag.requires_flags) {
        RC_ASSERT(members.count(need) == 1);
      }
    }
  }
}

RC_GTEST_PROP(ProfilesPropertyTest, BaseProfileIsTheSmallestProfile, ()) {
  Case c = ArbitraryCase();
  absl::StatusOr<std::vector<Profile>> profiles =
      AllProfiles(c.flags, c.choice);
  absl::StatusOr<Profile> base = BaseProfile(c.flags, c.choice);
  RC_ASSERT(profiles.ok() == base.ok());
  RC_PRE(base.ok());
  bool is_listed = false;
  for (const Profile& profile : *profiles) {
    RC_ASSERT(base->flags.size() <= profile.flags.size());
    is_listed |= profile.name == base->name;
  }
  RC_ASSERT(is_listed);
}

}  // namespace
}  // namespace ktstr::gauntlet
