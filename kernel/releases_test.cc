// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/releases.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The shape of the real file, with all that is passed over.
constexpr char kIndex[] = R"({
  "latest_stable": {"version": "6.17.3"},
  "releases": [
    {"moniker": "mainline", "version": "6.18-rc6", "iseol": false,
     "source": "https://git.kernel.org/torvalds/t/linux-6.18-rc6.tar.gz",
     "released": {"timestamp": 1763341000, "isodate": "2025-11-16"},
     "pgp": null},
    {"moniker": "stable", "version": "6.17.3", "iseol": false},
    {"moniker": "stable", "version": "6.16.12", "iseol": true},
    {"moniker": "longterm", "version": "6.6.116", "iseol": false},
    {"moniker": "longterm", "version": "6.12.58", "iseol": false},
    {"moniker": "longterm", "version": "5.15.196", "iseol": false},
    {"moniker": "linux-next", "version": "next-20251118", "iseol": false},
    {"moniker": "stable", "version": "7"},
    {"moniker": "stable", "version": 6},
    {"moniker": ["stable"], "version": "6.19.9"},
    "6.19.9", null
  ]})";

KernelVersion V(absl::string_view text) { return *KernelVersion::Parse(text); }

ReleaseIndex Index() { return *ReleaseIndex::Parse(kIndex); }

TEST(ReleaseIndexTest, ListsReleasesNewestFirst) {
  const ReleaseIndex index = Index();
  std::vector<std::string> versions;
  for (const Release& release : index.releases()) {
    versions.push_back(release.version.ToString());
  }
  EXPECT_THAT(versions, ElementsAre("6.18-rc6", "6.17.3", "6.16.12", "6.12.58",
                                    "6.6.116", "5.15.196"));
}

TEST(ReleaseIndexTest, ASeriesIsItsNewestRelease) {
  const ReleaseIndex index = Index();
  EXPECT_EQ(index.Newest(V("6.12")), V("6.12.58"));
  EXPECT_EQ(index.Newest(V("6")), V("6.18-rc6"));  // mainline counts
  EXPECT_EQ(index.Newest(V("6.17.3")), V("6.17.3"));
  EXPECT_EQ(index.Newest(V("6.11")), std::nullopt);
  EXPECT_EQ(index.Newest(V("6.12.57")), std::nullopt);
}

TEST(ReleaseIndexTest, TheDefaultHasEightPatches) {
  EXPECT_THAT(Index().Default(), IsOkAndHolds(V("6.16.12")));
  ASSERT_OK_AND_ASSIGN(
      ReleaseIndex young,
      ReleaseIndex::Parse(
          R"({"releases": [{"moniker": "stable", "version": "6.17.7"}]})"));
  EXPECT_THAT(young.Default(), StatusIs(absl::StatusCode::kNotFound));
}

TEST(ReleaseIndexTest, ARangeIncludesItsEnds) {
  const ReleaseIndex index = Index();
  EXPECT_THAT(
      index.Range(V("6.6.116"), V("6.16.12")),
      IsOkAndHolds(ElementsAre(V("6.6.116"), V("6.12.58"), V("6.16.12"))));
  EXPECT_THAT(
      index.Range(V("6.12"), V("6.17")),
      IsOkAndHolds(ElementsAre(V("6.12.58"), V("6.16.12"), V("6.17.3"))));
  EXPECT_THAT(index.Range(V("6.12.59"), V("6.16.11")),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("no stable or longterm release lies in "
                                 "6.12.59..6.16.11")));
}

TEST(ReleaseIndexTest, CandidatesAreInNoRange) {
  EXPECT_THAT(Index().Range(V("6.18-rc1"), V("6.18")),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(ReleaseIndexTest, WhatIsNotListedIsNotMaintained) {
  const ReleaseIndex index = Index();
  EXPECT_FALSE(index.IsEol(V("6.12.3")));
  EXPECT_TRUE(index.IsEol(V("6.16.12")));
  EXPECT_TRUE(index.IsEol(V("6.11.5")));
  EXPECT_FALSE(index.IsEol(V("6.18-rc1")));
}

TEST(ReleaseIndexTest, WhatIsNoIndexIsRefused) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"releases": {}})", R"({"releases": []})",
        R"({"releases": [{"moniker": "stable", "version": "x"}]})"}) {
    EXPECT_THAT(ReleaseIndex::Parse(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("the index of releases: ")))
        << text;
  }
  std::string many = R"({"releases": [0)";
  for (int i = 0; i < 1000; ++i) many += ",0";
  EXPECT_THAT(ReleaseIndex::Parse(many + "]}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("more than 1000")));
  EXPECT_THAT(ReleaseIndex::Parse(std::string(5 << 20, ' ')),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ReleaseIndexTest, DeepNestingIsNoTrouble) {
  const std::string deep(1 << 20, '[');
  EXPECT_FALSE(ReleaseIndex::Parse(deep).ok());
  EXPECT_FALSE(
      ReleaseIndex::Parse(absl::StrCat(deep, std::string(1 << 20, ']'))).ok());
}

}  // namespace
}  // namespace ktstr::kernel
