// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/clean.h"

#include <string>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"

namespace ktstr::kernel {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using State = ListedKernel::State;

ListedKernel Listed(const std::string& key, State state) {
  ListedKernel kernel = {.state = state};
  kernel.entry.key = key;
  return kernel;
}

std::vector<std::string> Keys(const std::vector<ListedKernel>& kernels) {
  std::vector<std::string> keys;
  for (const ListedKernel& kernel : kernels) keys.push_back(kernel.entry.key);
  return keys;
}

// Newest first, corrupt last, as the cache lists them.
std::vector<ListedKernel> Four() {
  return {Listed("new", State::kValid), Listed("middle", State::kStale),
          Listed("old", State::kValid), Listed("broken", State::kCorrupt)};
}

TEST(PlanCleanTest, KeepsTheNewestUsableOnes) {
  CleanPlan plan = PlanClean(Four(), {"tree"}, {.keep = 2});
  EXPECT_THAT(Keys(plan.kept), ElementsAre("new", "middle"));
  EXPECT_THAT(Keys(plan.removed), ElementsAre("old", "broken"));
}

TEST(PlanCleanTest, KeepsNothingUnlessToldTo) {
  CleanPlan plan = PlanClean(Four(), {"tree"}, {});
  EXPECT_THAT(plan.kept, IsEmpty());
  EXPECT_THAT(plan.trees, ElementsAre("tree"));
  EXPECT_THAT(Keys(plan.removed),
              ElementsAre("new", "middle", "old", "broken"));
}

TEST(PlanCleanTest, MoreThanThereAreIsAll) {
  EXPECT_THAT(Keys(PlanClean(Four(), {"tree"}, {.keep = 9}).removed),
              ElementsAre("broken"));
}

TEST(PlanCleanTest, OnlyCorruptOnesWhenAskedFor) {
  CleanPlan plan =
      PlanClean(Four(), {"tree"}, {.keep = 0, .only_corrupt = true});
  EXPECT_THAT(Keys(plan.kept), ElementsAre("new", "middle", "old"));
  EXPECT_THAT(plan.trees, IsEmpty());
  EXPECT_THAT(Keys(plan.removed), ElementsAre("broken"));
}

class CleanTest : public ::testing::Test {
 protected:
  CleanTest()
      : dir_(*TempDir::Create("clean")),
        cache_(*KernelCache::Open(JoinPath(dir_.path(), "kernels"))) {
    for (const char* key : {"a", "b"}) {
      EXPECT_OK(MakeDirs(JoinPath(cache_.root(), key)));
    }
    EXPECT_OK(MakeDirs(JoinPath(cache_.KeptTree("t"), "kernel")));
  }

  CleanPlan PlanAll() {
    return PlanClean(*cache_.List(), cache_.KeptTrees(), {});
  }

  TempDir dir_;
  KernelCache cache_;
};

TEST_F(CleanTest, RemovesWhatIsPlanned) {
  CleanResult result = Clean(cache_, PlanAll());
  EXPECT_THAT(result.removed,
              ElementsAre("kernel a", "kernel b", "copy of a source tree t"));
  EXPECT_THAT(cache_.KeptTrees(), IsEmpty());
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(*cache_.List(), IsEmpty());
}

TEST_F(CleanTest, AnEntryThatIsBeingBuiltStays) {
  auto lock = cache_.TryLock("a"), tree_lock = cache_.TryLock("tree-t");
  ASSERT_OK(lock.status());
  ASSERT_OK(tree_lock.status());
  CleanResult result = Clean(cache_, PlanAll());
  EXPECT_THAT(result.removed, ElementsAre("kernel b"));
  EXPECT_THAT(result.problems,
              ElementsAre(HasSubstr("kernel a stays: "),
                          HasSubstr("copy of a source tree t stays: ")));
  EXPECT_TRUE(FileExists(cache_.KeptTree("t")));
  EXPECT_TRUE(FileExists(JoinPath(cache_.root(), "a")));
}

}  // namespace
}  // namespace ktstr::kernel
