// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/run_dir.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class RunDirTest : public ::testing::Test {
 protected:
  RunDirTest()
      : dir_(*TempDir::Create("rd-")), root_(JoinPath(dir_.path(), "root")) {}
  TempDir dir_;
  std::string root_;
};

TEST_F(RunDirTest, LeavesNothingBehind) {
  {
    ASSERT_OK_AND_ASSIGN(RunDir run_dir, RunDir::Create(root_));
    ASSERT_OK_AND_ASSIGN(std::string attempt, run_dir.MakeAttemptDir());
    ASSERT_OK(WriteFileAtomically(JoinPath(attempt, "file"), "x"));
  }
  EXPECT_FALSE(FileExists(root_));
}

TEST_F(RunDirTest, SweepsTheDeadAndSparesTheLiving) {
  ASSERT_OK_AND_ASSIGN(RunDir living, RunDir::Create(root_));
  ASSERT_OK(MakeDirs(JoinPath(root_, "host-dead")));
  ASSERT_OK(WriteFileAtomically(JoinPath(root_, "host-dead/lock"), ""));
  ASSERT_OK(MakeDirs(JoinPath(root_, "others-things")));
  ASSERT_OK_AND_ASSIGN(RunDir second, RunDir::Create(root_));
  EXPECT_THAT(*ListDir(root_),
              UnorderedElementsAre(Basename(living.path()),
                                   Basename(second.path()), "others-things"));
}

TEST_F(RunDirTest, SweeperRemovesWhenItsOwnerIsGone) {
  std::string path = JoinPath(root_, "host-gone");
  ASSERT_OK(MakeDirs(JoinPath(path, "attempt")));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  UniqueFd reader(ends[0]);
  UniqueFd(ends[1]).Reset();
  SweepAfter(reader.get(), path);
  EXPECT_FALSE(FileExists(root_));
}

TEST_F(RunDirTest, KeepKeeps) {
  std::string path;
  {
    ASSERT_OK_AND_ASSIGN(RunDir run_dir, RunDir::Create(root_));
    run_dir.Keep();
    path = run_dir.path();
  }
  EXPECT_THAT(*ListDir(path), ElementsAre("lock"));
}

}  // namespace
}  // namespace ktstr::hostd
