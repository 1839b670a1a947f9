// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/judge_pages.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

WorkerReport Worker(std::map<int, uint64_t> pages,
                    std::optional<uint64_t> migrated = std::nullopt) {
  WorkerReport report;
  report.pid = 7;
  report.numa_pages = std::move(pages);
  report.vmstat_numa_pages_migrated = migrated;
  return report;
}

// Node 2 has no CPUs.
const PagePlacement kOnNodeZero = {.expected_nodes = {0},
                                   .memory_only_nodes = {2}};

TEST(JudgePagesTest, LocalityIsTheShareOnExpectedNodes) {
  const std::vector<WorkerReport> reports = {Worker({{0, 75}, {1, 25}}),
                                             Worker({{0, 100}})};
  PagesJudged judged =
      JudgePages(reports, kOnNodeZero, {.min_page_locality = 0.75});
  EXPECT_THAT(judged.findings, IsEmpty());
  EXPECT_TRUE(judged.evaluated.locality);
  // Of the group: 175 of 200.
  EXPECT_EQ(judged.locality, 0.875);
  judged = JudgePages(reports, kOnNodeZero, {.min_page_locality = 0.76});
  ASSERT_THAT(judged.findings, SizeIs(1));
  EXPECT_EQ(judged.findings[0].kind, FindingKind::kPageLocality);
  EXPECT_EQ(judged.findings[0].message,
            "worker 7 has 75 of 100 pages on node 0, a locality of 0.7500, "
            "minimum 0.7600");
}

TEST(JudgePagesTest, OnlyMemoryOnlyNodesAreSlow) {
  const std::vector<WorkerReport> reports = {
      Worker({{0, 60}, {1, 30}, {2, 10}})};
  PagesJudged judged =
      JudgePages(reports, kOnNodeZero, {.max_slow_tier_ratio = 0.1});
  EXPECT_THAT(judged.findings, IsEmpty());
  EXPECT_TRUE(judged.evaluated.slow_tier);
  judged = JudgePages(reports, kOnNodeZero, {.max_slow_tier_ratio = 0.09});
  ASSERT_THAT(judged.findings, SizeIs(1));
  EXPECT_EQ(judged.findings[0].kind, FindingKind::kSlowTier);
  EXPECT_THAT(judged.findings[0].message,
              HasSubstr("10 of 100 pages on memory-only nodes, 0.1000 of "
                        "them, maximum 0.0900"));
  // Bound there, they are where they belong.
  judged =
      JudgePages(reports, {.expected_nodes = {2}, .memory_only_nodes = {2}},
                 {.max_slow_tier_ratio = 0});
  EXPECT_THAT(judged.findings, IsEmpty());
}

TEST(JudgePagesTest, MigratedPagesAreHeldAgainstThoseThereAre) {
  const std::vector<WorkerReport> reports = {Worker({{0, 100}}, 50),
                                             Worker({{0, 200}}, 50)};
  PagesJudged judged = JudgePages(reports, PagePlacement{},
                                  {.max_cross_node_migration_ratio = 0.25});
  EXPECT_TRUE(judged.evaluated.cross_node);
  EXPECT_EQ(judged.cross_node_migration_ratio, 0.5);
  ASSERT_THAT(judged.findings, SizeIs(1));
  EXPECT_EQ(judged.findings[0].kind, FindingKind::kCrossNodeMigration);
  EXPECT_THAT(judged.findings[0].message,
              HasSubstr("50 pages moved between nodes while worker 7, with "
                        "100 pages, ran: 0.5000 each, maximum 0.2500"));
}

TEST(JudgePagesTest, WithoutEvidenceNothingIsEvaluated) {
  const Checks all = {.min_page_locality = 1,
                      .max_cross_node_migration_ratio = 0,
                      .max_slow_tier_ratio = 0};
  // No pages; and pages of which nobody said where they belong.
  for (const WorkerReport& report :
       {Worker({}, 5), Worker({{0, 10}, {2, 10}})}) {
    const PagePlacement placement =
        report.numa_pages.empty() ? kOnNodeZero : PagePlacement{};
    PagesJudged judged = JudgePages({&report, 1}, placement, all);
    EXPECT_FALSE(judged.evaluated.locality);
    EXPECT_FALSE(judged.evaluated.cross_node);
    EXPECT_FALSE(judged.evaluated.slow_tier);
    EXPECT_EQ(judged.locality, std::nullopt);
    EXPECT_EQ(judged.cross_node_migration_ratio, std::nullopt);
    EXPECT_THAT(judged.findings, IsEmpty());
  }
}

}  // namespace
}  // namespace ktstr::internal
