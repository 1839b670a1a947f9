// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/run_directory.h"

#include <stdlib.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

class RunDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("TMPDIR", "/tmp", 1);
    ASSERT_OK_AND_ASSIGN(TempDir temp, TempDir::Create("rd-"));
    temp_.emplace(std::move(temp));
    setenv("TMPDIR", temp_->path().c_str(), 1);
  }

  std::string MakeDir(const std::string& suffix) {
    std::string path =
        JoinPath(temp_->path(), absl::StrCat("ktstr-run-", getuid(), suffix));
    EXPECT_OK(MakeDirs(JoinPath(path, "data")));
    return path;
  }

  std::optional<TempDir> temp_;
};

TEST_F(RunDirectoryTest, GoesWithItsOwner) {
  std::string path;
  {
    ASSERT_OK_AND_ASSIGN(RunDirectory directory, RunDirectory::Create());
    path = directory.path();
    EXPECT_TRUE(FileExists(path));
  }
  EXPECT_FALSE(FileExists(path));
}

TEST_F(RunDirectoryTest, SweepsWhatADeadProcessLeft) {
  std::string stale = MakeDir("-stale1");
  ASSERT_OK(WriteFileAtomically(JoinPath(stale, "lock"), ""));
  ASSERT_OK_AND_ASSIGN(RunDirectory directory, RunDirectory::Create());
  EXPECT_FALSE(FileExists(stale));
}

TEST_F(RunDirectoryTest, LeavesTheLivingAlone) {
  ASSERT_OK_AND_ASSIGN(RunDirectory living, RunDirectory::Create());
  std::string being_made = MakeDir("-young1");
  std::string foreign = JoinPath(temp_->path(), "ktstr-run-xyz");
  ASSERT_OK(MakeDirs(foreign));
  EXPECT_EQ(SweepRunDirectories(temp_->path()), 0);
  EXPECT_TRUE(FileExists(living.path()));
  EXPECT_TRUE(FileExists(being_made));
  EXPECT_TRUE(FileExists(foreign));
}

}  // namespace
}  // namespace ktstr::ktstrctl
