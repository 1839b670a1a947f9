// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/expand.h"

#include <set>

#include "base/status_matchers.h"
#include "gauntlet/preset.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace ktstr::gauntlet {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TestCase MakeTest(std::string name) {
  return {.name = std::move(name),
          .topology = Topology::Create(1, 1, 2, 1).value(),
          .memory_mib = 128};
}

Request Basic() { return {.tests = {MakeTest("steady")}, .kernels = {"6.12"}}; }

std::vector<std::string> Names(const absl::StatusOr<Expansion>& expansion) {
  std::vector<std::string> names;
  if (!expansion.ok()) return {expansion.status().ToString()};
  for (const Variant& variant : expansion->variants) {
    names.push_back(variant.name);
  }
  return names;
}

DeclaredScheduler Mine() {
  return {.name = "mine",
          .has_program = true,
          .flags = {{"llc", {"--llc"}}, {"steal", {"--steal"}, {"llc"}}}};
}

TEST(ExpandTest, BaseVariantHasTheTestsOwnTopology) {
  Request request = Basic();
  request.tests[0].constraints.min_cpus = 100;  // concerns presets only
  ASSERT_OK_AND_ASSIGN(Expansion expansion, Expand(request));
  ASSERT_EQ(expansion.variants.size(), 1);
  const Variant& variant = expansion.variants[0];
  EXPECT_EQ(variant.name, "ktstr/steady");
  EXPECT_EQ(variant.topology.ToString(), "1n1l2c1t");
  EXPECT_EQ(variant.memory_mib, 256);
  EXPECT_EQ(variant.profile.name, "default");
  EXPECT_FALSE(variant.scheduler.has_value());
  EXPECT_NE(variant.seed, 0);
}

TEST(ExpandTest, PresetsReplaceTheBaseVariant) {
  Request request = Basic();
  request.presets = {"tiny-1llc", "smt-2llc"};
  EXPECT_THAT(Names(Expand(request)),
              ElementsAre("gauntlet/steady/tiny-1llc/default",
                          "gauntlet/steady/smt-2llc/default"));
}

TEST(ExpandTest, SchedulersAndKernelsNameThemselvesFromTwoOn) {
  Request request = Basic();
  request.presets = {"tiny-1llc"};
  request.schedulers = {"default", "scx_simple"};
  EXPECT_THAT(Names(Expand(request)),
              ElementsAre("gauntlet/steady/tiny-1llc/default:default",
                          "gauntlet/steady/tiny-1llc/scx_simple:default"));
  request.schedulers = {"scx_simple"};
  request.kernels = {"6.12", "6.14"};
  EXPECT_THAT(Names(Expand(request)),
              ElementsAre("gauntlet/steady/tiny-1llc/default/6.12",
                          "gauntlet/steady/tiny-1llc/default/6.14"));
  request.presets = {};
  request.schedulers = {"a", "b"};
  EXPECT_THAT(Names(Expand(request)),
              ElementsAre("ktstr/steady/a/6.12", "ktstr/steady/a/6.14",
                          "ktstr/steady/b/6.12", "ktstr/steady/b/6.14"));
}

TEST(ExpandTest, DemoHasTwentyFourVariants) {
  Request request = Basic();
  request.tests = {MakeTest("steady"), MakeTest("cpuset"), MakeTest("futex")};
  request.presets = {"tiny-1llc", "tiny-2llc", "odd-3llc", "smt-2llc"};
  request.schedulers = {"default", "scx_simple"};
  EXPECT_EQ(Expand(request).value().variants.size(), 24);
}

TEST(ExpandTest, ExclusionsCarryTheReason) {
  Request request = Basic();
  request.tests[0].constraints.max_llcs = 2;
  request.presets = {"tiny-1llc", "odd-3llc"};
  ASSERT_OK_AND_ASSIGN(Expansion expansion, Expand(request));
  EXPECT_EQ(expansion.variants.size(), 1);
  ASSERT_EQ(expansion.excluded.size(), 1);
  EXPECT_EQ(expansion.excluded[0].variant, "gauntlet/steady/odd-3llc");
  EXPECT_EQ(expansion.excluded[0].reason, "3 LLCs, test allows at most 2");
}

TEST(ExpandTest, NothingLeftIsAnErrorWithTheFirstReason) {
  Request request = Basic();
  request.presets = {"numa2-4llc"};
  EXPECT_THAT(Expand(request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("gauntlet/steady/numa2-4llc"),
                             HasSubstr("2 NUMA nodes"))));
  request = Basic();
  request.tests[0].is_ignored_by_default = true;
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("ignored by default")));
}

TEST(ExpandTest, RepeatedTestHasOneVariantARun) {
  Request request = Basic();
  request.tests[0].repeat = 3;
  ASSERT_OK_AND_ASSIGN(Expansion expansion, Expand(request));
  EXPECT_THAT(Names(expansion), ElementsAre("ktstr/steady#1", "ktstr/steady#2",
                                            "ktstr/steady#3"));
  EXPECT_EQ(expansion.variants[2].run, 3);
  EXPECT_NE(expansion.variants[0].seed, expansion.variants[1].seed);
  // By its name all of it, or one run.
  request.filters = {"ktstr/steady"};
  EXPECT_THAT(Names(Expand(request)), SizeIs(3));
  request.filters = {"ktstr/steady#2"};
  EXPECT_THAT(Names(Expand(request)), ElementsAre("ktstr/steady#2"));
  request.filters = {"ktstr/steady#4"};
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument));
  request.filters.clear();
  request.max_variants = 2;
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("more than 2 variants")));
}

TEST(ExpandTest, DeclaredSchedulerRunsWithItsProfiles) {
  Request request = Basic();
  request.tests[0].scheduler = Mine();
  request.presets = {"tiny-1llc"};
  request.schedulers = {"other", "mine"};
  ASSERT_OK_AND_ASSIGN(Expansion expansion, Expand(request));
  EXPECT_THAT(Names(expansion),
              ElementsAre("gauntlet/steady/tiny-1llc/mine:default",
                          "gauntlet/steady/tiny-1llc/mine:llc",
                          "gauntlet/steady/tiny-1llc/mine:llc+steal"));
  EXPECT_EQ(expansion.variants[2].scheduler, 1);
  EXPECT_THAT(expansion.variants[2].profile.args,
              ElementsAre("--llc", "--steal"));
}

TEST(ExpandTest, DeclaredSchedulerWithoutProgramIsAnError) {
  Request request = Basic();
  request.tests[0].scheduler = Mine();
  EXPECT_THAT(Expand(request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("test steady"), HasSubstr("mine"))));
}

TEST(ExpandTest, OnlyATestToRunNeedsItsProgram) {
  Request request = Basic();
  request.tests[0].scheduler = Mine();
  request.tests[0].scheduler->why_missing = "looked in out/";
  request.tests.push_back(MakeTest("plain"));
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("bring: looked in out/")));
  request.filters = {"plain"};
  EXPECT_THAT(Names(Expand(request)), ElementsAre("ktstr/plain"));
}

TEST(ExpandTest, DeclaredProgramsAreNoDimension) {
  Request request = Basic();
  request.tests[0].scheduler = Mine();
  request.tests.push_back(MakeTest("plain"));
  request.presets = {"tiny-1llc"};
  request.declared_programs = {"other", "mine"};
  ASSERT_OK_AND_ASSIGN(Expansion expansion, Expand(request));
  EXPECT_THAT(Names(expansion),
              ElementsAre("gauntlet/steady/tiny-1llc/default",
                          "gauntlet/steady/tiny-1llc/llc",
                          "gauntlet/steady/tiny-1llc/llc+steal",
                          "gauntlet/plain/tiny-1llc/default"));
  EXPECT_EQ(expansion.variants[0].scheduler, 1);
  EXPECT_FALSE(expansion.variants[3].scheduler.has_value());
  // What somebody asks for comes before what was found.
  request.schedulers = {"asked"};
  ASSERT_OK_AND_ASSIGN(expansion, Expand(request));
  EXPECT_THAT(Names(expansion),
              ElementsAre("gauntlet/steady/tiny-1llc/default",
                          "gauntlet/plain/tiny-1llc/default"));
  EXPECT_EQ(expansion.variants[0].scheduler, 0);
}

TEST(ExpandTest, ForeignSchedulerRunsWithoutFlags) {
  Request request = Basic();
  request.tests[0].scheduler = Mine();
  request.presets = {"tiny-1llc"};
  request.schedulers = {"other"};
  EXPECT_THAT(Names(Expand(request)),
              ElementsAre("gauntlet/steady/tiny-1llc/default"));
  request.tests.push_back(MakeTest("plain"));
  request.tests[0].flag_choice.required = {"llc"};
  ASSERT_OK_AND_ASSIGN(Expansion expansion, Expand(request));
  ASSERT_EQ(expansion.excluded.size(), 1);
  EXPECT_THAT(expansion.excluded[0].reason,
              HasSubstr("scheduler other has no flag llc"));
}

TEST(ExpandTest, ContradictoryFlagsAreAnError) {
  Request request = Basic();
  request.tests[0].scheduler = Mine();
  request.tests[0].flag_choice = {.required = {"steal"}, .excluded = {"llc"}};
  request.schedulers = {"mine"};
  EXPECT_THAT(Expand(request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("test steady"), HasSubstr("steal"))));
}

TEST(ExpandTest, FilterSelectsByVariantName) {
  Request request = Basic();
  request.tests.push_back(MakeTest("futex"));
  request.presets = {"tiny-1llc", "tiny-2llc"};
  request.filters = {"gauntlet/futex/*-2llc/*"};
  EXPECT_THAT(Names(Expand(request)),
              ElementsAre("gauntlet/futex/tiny-2llc/default"));
  request.filters = {"futx"};
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("did you mean futex")));
}

TEST(ExpandTest, RefusesBadNamesAndEmptyDimensions) {
  Request request = Basic();
  request.kernels = {};
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("kernel")));
  request = Basic();
  request.tests = {};
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument));
  request = Basic();
  request.tests.push_back(MakeTest("steady"));
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("given twice")));
  request = Basic();
  request.tests[0].name = "a/b";
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ExpandTest, StopsAtTheVariantLimit) {
  Request request = Basic();
  request.presets = {"tiny-1llc", "tiny-2llc"};
  request.max_variants = 1;
  EXPECT_THAT(Expand(request), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("more than 1 variants")));
}

TEST(EffectiveMemoryTest, IsTheLargestOfThreeFloors) {
  EXPECT_EQ(EffectiveMemoryMib(Topology(), 0), 256);
  EXPECT_EQ(EffectiveMemoryMib(Topology(), 2048), 2048);
  EXPECT_EQ(EffectiveMemoryMib(Topology::Create(1, 14, 9, 2).value(), 2048),
            16128);
}

Request ArbitraryRequest() {
  Request request;
  for (int i = 0, n = *rc::gen::inRange(1, 4); i < n; ++i) {
    TestCase test = MakeTest("t" + std::to_string(i));
    test.constraints.max_llcs = *rc::gen::inRange(1, 16);
    test.constraints.requires_smt = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) test.scheduler = Mine();
    request.tests.push_back(std::move(test));
  }
  for (const Preset& preset : AllPresets()) {
    if (*rc::gen::inRange(0, 3) == 0) request.presets.push_back(preset.name);
  }
  using Names = std::vector<std::string>;
  request.schedulers = *rc::gen::element(
      Names{"mine"}, Names{"mine", "default"}, Names{"a", "b"});
  request.kernels = *rc::gen::element(Names{"k1"}, Names{"k1", "k2"});
  request.seed = *rc::gen::arbitrary<uint64_t>();
  return request;
}

RC_GTEST_PROP(ExpandPropertyTest, NamesAreUniqueAndConstraintsHold, ()) {
  Request request = ArbitraryRequest();
  absl::StatusOr<Expansion> expansion = Expand(request);
  RC_PRE(expansion.ok());
  std::set<std::string> names;
  for (const Variant& variant : expansion->variants) {
    RC_ASSERT(names.insert(variant.name).second);
    RC_ASSERT(variant.memory_mib >= variant.topology.cpus() * 64);
    if (variant.preset.empty()) continue;
    RC_ASSERT(
        WhyExcluded(request.tests[variant.test].constraints, variant.topology)
            .empty());
  }
}

RC_GTEST_PROP(ExpandPropertyTest, EveryPresetIsRunOrExcluded, ()) {
  Request request = ArbitraryRequest();
  absl::StatusOr<Expansion> expansion = Expand(request);
  RC_PRE(expansion.ok() && !request.presets.empty());
  std::set<std::pair<std::string, std::string>> seen;
  for (const Variant& variant : expansion->variants) {
    seen.insert({request.tests[variant.test].name, variant.preset});
  }
  RC_ASSERT(seen.size() + expansion->excluded.size() ==
            request.tests.size() * request.presets.size());
}

RC_GTEST_PROP(ExpandPropertyTest, SeedsDoNotDependOnTheRestOfTheRun, ()) {
  Request request = ArbitraryRequest();
  absl::StatusOr<Expansion> whole = Expand(request);
  RC_PRE(whole.ok());
  const Variant& chosen = *rc::gen::elementOf(whole->variants);
  request.filters = {chosen.name};
  absl::StatusOr<Expansion> alone = Expand(request);
  RC_ASSERT(alone.ok());
  RC_ASSERT(alone->variants.size() == 1u);
  RC_ASSERT(alone->variants[0].seed == chosen.seed);
}

}  // namespace
}  // namespace ktstr::gauntlet
