// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The kernel's cgroup tree on plain directories: which files are written with
// what. What the kernel makes of it is for end-to-end tests.
#include "ktstr/internal/cgroup_tree.h"

#include <unistd.h>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class CgroupTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("cgroup_tree"));
    dir_ = std::make_unique<TempDir>(std::move(dir));
    tree_ = MakeKernelCgroupTree(
        {.root = JoinPath(dir_->path(), "ktstr"), .hierarchy = dir_->path()});
    Touch("cgroup.subtree_control");
    Touch("ktstr/cgroup.subtree_control");
    Touch("ktstr/a/cgroup.subtree_control");
    Touch("ktstr/a/cpuset.cpus");
    Touch("ktstr/a/cgroup.procs");
  }

  void Touch(const std::string& file) {
    std::string path = JoinPath(dir_->path(), file);
    ASSERT_OK(MakeDirs(std::string(Dirname(path))));
    ASSERT_OK(WriteFileAtomically(path, ""));
  }

  std::string Content(const std::string& file) {
    return *ReadFile(JoinPath(dir_->path(), file));
  }

  std::unique_ptr<TempDir> dir_;
  std::unique_ptr<CgroupTree> tree_;
};

TEST_F(CgroupTreeTest, SetUpEnablesCpusetDownToTheRoot) {
  ASSERT_OK(tree_->SetUp());
  EXPECT_EQ(Content("cgroup.subtree_control"), "+cpuset");
  EXPECT_EQ(Content("ktstr/cgroup.subtree_control"), "+cpuset");
}

TEST_F(CgroupTreeTest, SetUpHandsTheCpuControllerOnWhenAskedTo) {
  tree_ = MakeKernelCgroupTree({.root = JoinPath(dir_->path(), "ktstr"),
                                .hierarchy = dir_->path(),
                                .has_cpu_controller = true});
  Touch("cgroup.subtree_control");
  ASSERT_OK(WriteFileAtomically(
      JoinPath(dir_->path(), "ktstr/cgroup.subtree_control"), "cpuset"));
  ASSERT_OK(tree_->SetUp());
  EXPECT_THAT(Content("ktstr/cgroup.subtree_control"), HasSubstr("+cpu"));
}

TEST_F(CgroupTreeTest, LeavesARootThatIsNotItsOwn) {
  tree_ = MakeKernelCgroupTree({.root = JoinPath(dir_->path(), "cells"),
                                .hierarchy = dir_->path(),
                                .owns_root = false});
  ASSERT_OK(MakeDirs(JoinPath(dir_->path(), "cells/a/b")));
  tree_->RemoveAll();
  EXPECT_TRUE(FileExists(JoinPath(dir_->path(), "cells")));
  EXPECT_FALSE(FileExists(JoinPath(dir_->path(), "cells/a")));
}

TEST_F(CgroupTreeTest, CreateNamesTheParentsItMade) {
  EXPECT_THAT(tree_->Create("a/b"), IsOkAndHolds(ElementsAre("a/b")));
  EXPECT_EQ(Content("ktstr/a/cgroup.subtree_control"), "+cpuset");
  EXPECT_THAT(tree_->Create("a/b"), IsOkAndHolds(ElementsAre()));
  EXPECT_THAT(tree_->Create("c"), IsOkAndHolds(ElementsAre("c")));
}

TEST_F(CgroupTreeTest, CpusetsAreCompactLists) {
  ASSERT_OK(tree_->SetCpuset("a", {0, 1, 2, 5}));
  EXPECT_EQ(Content("ktstr/a/cpuset.cpus"), "0-2,5");
  EXPECT_THAT(tree_->ReadCpuset("a"), IsOkAndHolds(ElementsAre(0, 1, 2, 5)));
}

TEST_F(CgroupTreeTest, CpuFilesNeedTheirControllerFromTheRootDown) {
  Touch("ktstr/a/cpu.weight");
  Touch("ktstr/a/cpu.max");
  Touch("ktstr/a/cpu.idle");
  ASSERT_OK(tree_->SetWeight("a", 250));
  EXPECT_EQ(Content("cgroup.subtree_control"), "+cpu");
  EXPECT_EQ(Content("ktstr/cgroup.subtree_control"), "+cpu");
  EXPECT_EQ(Content("ktstr/a/cgroup.subtree_control"), "");
  EXPECT_EQ(Content("ktstr/a/cpu.weight"), "250");
  ASSERT_OK(tree_->SetCpuMax("a", {.quota = std::chrono::milliseconds(20)}));
  EXPECT_EQ(Content("ktstr/a/cpu.max"), "20000 100000");
  ASSERT_OK(tree_->SetIdle("a", true));
  EXPECT_EQ(Content("ktstr/a/cpu.idle"), "1");
  EXPECT_THAT(tree_->SetWeight("../a", 250),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(CgroupTreeTest, ThrottledTimeIsReadFromTheStatistics) {
  EXPECT_THAT(tree_->ReadThrottled("a").status(),
              StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(WriteFileAtomically(JoinPath(dir_->path(), "ktstr/a/cpu.stat"),
                                "usage_usec 11\nnr_throttled 3\n"
                                "throttled_usec 1234\nnr_bursts 0\n"));
  EXPECT_THAT(tree_->ReadThrottled("a"),
              IsOkAndHolds(absl::Microseconds(1234)));
}

TEST_F(CgroupTreeTest, FreezingWaitsForTheKernelsWord) {
  Touch("ktstr/a/cgroup.freeze");
  ASSERT_OK(WriteFileAtomically(JoinPath(dir_->path(), "ktstr/a/cgroup.events"),
                                "populated 1\nfrozen 0\n"));
  tree_ = MakeKernelCgroupTree({.root = JoinPath(dir_->path(), "ktstr"),
                                .hierarchy = dir_->path(),
                                .write_timeout = absl::Milliseconds(500)});
  EXPECT_THAT(tree_->SetFrozen("a", true),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       HasSubstr("does not say \"frozen 1\"")));
  EXPECT_EQ(Content("ktstr/a/cgroup.freeze"), "1");
  ASSERT_OK(WriteFileAtomically(JoinPath(dir_->path(), "ktstr/a/cgroup.events"),
                                "populated 1\nfrozen 1\n"));
  EXPECT_OK(tree_->SetFrozen("a", true));
  EXPECT_OK(tree_->SetFrozen("a", false));
}

TEST_F(CgroupTreeTest, MovesTasksByNumber) {
  ASSERT_OK(tree_->MoveTasks("a", {1234567}));
  EXPECT_EQ(Content("ktstr/a/cgroup.procs"), "1234567");
}

TEST_F(CgroupTreeTest, RemoveOfTheAbsentIsFine) {
  EXPECT_OK(tree_->Remove("nothing"));
  ASSERT_OK(tree_->Create("c").status());
  EXPECT_OK(tree_->Remove("c"));
  EXPECT_FALSE(FileExists(JoinPath(dir_->path(), "ktstr/c")));
}

TEST_F(CgroupTreeTest, NamesTheFileThatCannotBeWritten) {
  EXPECT_THAT(tree_->SetCpuset("missing", {0}),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("ktstr/missing/cpuset.cpus")));
}

// /dev/full stands in for a kernel that refuses.
TEST_F(CgroupTreeTest, ARefusedWriteSaysWhatWasWritten) {
  std::string path = JoinPath(dir_->path(), "ktstr/a/cpuset.cpus");
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(symlink("/dev/full", path.c_str()), 0);
  EXPECT_THAT(
      tree_->SetCpuset("a", {0}),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("write \"0\"")));
}

TEST_F(CgroupTreeTest, NamesCannotLeaveTheTree) {
  for (const char* name : {"", "..", "a/../b", "/a", "a/", "a//b", "."}) {
    EXPECT_THAT(CheckCgroupName(name),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << name;
    EXPECT_THAT(tree_->Create(name).status(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_OK(CheckCgroupName("a/b..c"));
}

}  // namespace
}  // namespace ktstr::internal
