// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/catalog/scenarios.h"

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/catalog/entry.h"
#include "ktstr/catalog/table.h"
#include "ktstr/internal/cgroup_tree_fake.h"
#include "model/topology.h"

namespace ktstr::catalog {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A machine that is only said to be there, with recorded cgroups.
struct Scene {
  explicit Scene(const char* topology)
      : machine(GuestTopology::FromDeclared(*Topology::Parse(topology))) {}

  Context context() {
    // Judging is not what is tested: one second of an unknown machine.
    return Context(
        {.topology = &machine,
         .cgroups = &cgroups,
         .duration = std::chrono::milliseconds(60),
         .workers_per_cgroup = 2,
         .checks = {.not_starved = false, .tolerate_not_evaluated = true}});
  }

  GuestTopology machine;
  internal::CgroupTreeFake cgroups;
};

std::vector<const Entry*> Everything() {
  std::vector<const Entry*> entries;
  for (const Category& category : kCategories) {
    for (size_t i = 0; i < category.size; ++i) {
      entries.push_back(category.begin + i);
    }
  }
  return entries;
}

// A scenario that would have to pin workers to CPUs that this machine does not
// have says so in a finding; everything else about it is checked here.
bool IsForeignCpu(const Finding& finding) {
  return finding.message.find("sched_setaffinity") != std::string::npos ||
         finding.message.find("ffinity") != std::string::npos;
}

TEST(CatalogTest, NamesAreUniqueAndDescribed) {
  std::set<std::string_view> names;
  for (const Entry* entry : Everything()) {
    EXPECT_TRUE(names.insert(entry->name).second) << entry->name;
    EXPECT_GE(entry->description.size(), 20u) << entry->name;
    EXPECT_EQ(entry->description.back(), '.') << entry->name;
    EXPECT_TRUE(entry->body == nullptr ||
                (entry->work == nullptr && entry->partition.is_none()))
        << entry->name << " has a body and data beside it";
  }
}

TEST(CatalogTest, OneCpuIsEnoughOrTheScenarioSkips) {
  for (const Entry* entry : Everything()) {
    SCOPED_TRACE(entry->name);
    Scene scene("1n1l1c1t");
    if (!entry->needs.LackedBy(scene.machine)) continue;
    ASSERT_OK_AND_ASSIGN(Verdict verdict, Play(scene.context(), *entry));
    EXPECT_TRUE(verdict.skipped);
    EXPECT_THAT(verdict.skip_reason, HasSubstr("needs "));
    EXPECT_THAT(scene.cgroups.calls(), IsEmpty());
  }
}

TEST(CatalogTest, NeedsAreWhatItTakes) {
  for (const Entry* entry : Everything()) {
    SCOPED_TRACE(entry->name);
    const Needs& needs = entry->needs;
    // The smallest machine that has them.
    const int cores = (needs.cpus + needs.llcs - 1) / needs.llcs;
    GuestTopology machine = GuestTopology::FromDeclared(
        *Topology::Create(needs.nodes, needs.llcs, cores, 1));
    EXPECT_EQ(needs.LackedBy(machine), std::nullopt);
    EXPECT_OK(entry->partition.Resolve(machine, entry->cgroups));
  }
}

TEST(NeedsTest, NamesWhatIsLacking) {
  GuestTopology machine =
      GuestTopology::FromDeclared(*Topology::Parse("1n2l2c1t"));
  EXPECT_EQ(Needs{.cpus = 5}.LackedBy(machine),
            "needs 5 CPUs, the machine has 4");
  EXPECT_EQ(Needs{.llcs = 3}.LackedBy(machine),
            "needs 3 LLCs, the machine has 2");
  EXPECT_EQ(Needs{.nodes = 2}.LackedBy(machine),
            "needs 2 NUMA nodes with CPUs, the machine has 1");
  EXPECT_EQ((Needs{.cpus = 4, .llcs = 2}).LackedBy(machine), std::nullopt);
}

// With real workers. The curated ones have bodies that others have, too.
TEST(CatalogTest, EveryScenarioPlaysOnFourCpus) {
  std::set<Entry::Body> played;
  for (const Entry* entry : Everything()) {
    if (entry->body != nullptr && !played.insert(entry->body).second) continue;
    SCOPED_TRACE(entry->name);
    Scene scene("1n2l2c1t");
    Entry unjudged = *entry;
    unjudged.checks = {};
    ASSERT_OK_AND_ASSIGN(Verdict verdict, Play(scene.context(), unjudged));
    if (auto lack = entry->needs.LackedBy(scene.machine)) {
      EXPECT_TRUE(verdict.skipped);
      EXPECT_EQ(verdict.skip_reason, *lack);
      continue;
    }
    EXPECT_FALSE(verdict.skipped) << verdict.skip_reason;
    for (const Finding& finding : verdict.findings) {
      EXPECT_TRUE(IsForeignCpu(finding)) << finding.message;
    }
    EXPECT_THAT(scene.cgroups.existing(), IsEmpty());
  }
}

Checks given;

absl::StatusOr<Verdict> NoteChecks(const Context&, const Checks& checks) {
  given = checks;
  return pass();
}

TEST(PlayTest, ARowsChecksAreOnTopOfTheTests) {
  const Entry entry{.name = "noted",
                    .description = "",
                    .body = &NoteChecks,
                    .checks = {.max_spread_pct = 50},
                    .overcommitted_spread_pct = 80};
  GuestTopology machine =
      GuestTopology::FromDeclared(*Topology::Parse("1n1l1c1t"));
  ContextParts parts{.topology = &machine,
                     .checks = {.max_gap_ms = 7, .max_spread_pct = 20}};
  ASSERT_OK(Play(Context(parts), entry));
  EXPECT_EQ(given, (Checks{.max_gap_ms = 7, .max_spread_pct = 50}));
  parts.profile = JudgingProfile::Overcommitted(4);
  ASSERT_OK(Play(Context(parts), entry));
  EXPECT_EQ(given, (Checks{.max_gap_ms = 7, .max_spread_pct = 80}));
}

TEST(ScenariosTest, ByNameAndByFunctionAreTheSame) {
  Scene by_name("1n1l2c1t");
  Scene by_function("1n1l2c1t");
  EXPECT_OK(scenarios::play(by_name.context(), "steady"));
  EXPECT_OK(scenarios::steady(by_function.context()));
  EXPECT_EQ(by_name.cgroups.calls(), by_function.cgroups.calls());
  EXPECT_THAT(by_name.cgroups.calls(), Contains("move cg_1 2"));
}

TEST(ScenariosTest, AnUnknownNameIsAnError) {
  Scene scene("1n1l2c1t");
  EXPECT_THAT(scenarios::play(scene.context(), "stedy"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("\"stedy\"")));
}

TEST(ScenariosTest, SteadySettlesBeforeAnybodyWorks) {
  Scene scene("1n1l8c1t");
  EXPECT_OK(scenarios::play(scene.context(), "cgroup_uneven_steady"));
  EXPECT_THAT(
      scene.cgroups.calls(),
      ::testing::ElementsAre("create cg_0", "cpuset cg_0 0-4", "create cg_1",
                             "cpuset cg_1 5-6", "move cg_0 2", "move cg_1 2",
                             "remove cg_1", "remove cg_0"));
}

TEST(ScenariosTest, ResizeMovesTheBorder) {
  Scene scene("1n1l8c1t");
  EXPECT_OK(scenarios::cpuset_resize(scene.context()));
  // L = 7: trunc(3.5), trunc(1.75), trunc(5.25).
  EXPECT_THAT(scene.cgroups.calls(),
              ::testing::IsSupersetOf({"cpuset cg_0 0-2", "cpuset cg_1 3-6",
                                       "cpuset cg_0 0", "cpuset cg_1 1-6",
                                       "cpuset cg_0 0-4", "cpuset cg_1 5-6"}));
}

}  // namespace
}  // namespace ktstr::catalog
