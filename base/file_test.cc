// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  FileTest() : dir_(*TempDir::Create("file_test")) {}
  std::string Path(const char* name) { return JoinPath(dir_.path(), name); }
  TempDir dir_;
};

TEST_F(FileTest, AtomicWriteReplacesWholeContent) {
  ASSERT_OK(WriteFileAtomically(Path("f"), "long old content"));
  ASSERT_OK(WriteFileAtomically(Path("f"), "short"));
  EXPECT_THAT(ReadFile(Path("f")), IsOkAndHolds("short"));
  EXPECT_THAT(ListDir(dir_.path()), IsOkAndHolds(ElementsAre("f")));
}

TEST_F(FileTest, FailedAtomicWriteLeavesNoTemporary) {
  ASSERT_OK(MakeDirs(Path("f/child")));
  EXPECT_FALSE(WriteFileAtomically(Path("f"), "x").ok());
  EXPECT_THAT(ListDir(dir_.path()), IsOkAndHolds(ElementsAre("f")));
}

TEST_F(FileTest, ReadRefusesMoreThanTheLimit) {
  ASSERT_OK(WriteFileAtomically(Path("f"), "12345"));
  EXPECT_THAT(ReadFile(Path("f"), 5), IsOkAndHolds("12345"));
  EXPECT_THAT(ReadFile(Path("f"), 4),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(FileTest, MissingFileIsNotFoundWithItsPath) {
  EXPECT_THAT(ReadFile(Path("none")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
}

TEST_F(FileTest, RemoveTreeDoesNotFollowLinks) {
  ASSERT_OK(MakeDirs(Path("tree/sub")));
  ASSERT_OK(MakeDirs(Path("outside")));
  ASSERT_OK(WriteFileAtomically(Path("outside/kept"), "x"));
  ASSERT_EQ(symlink(Path("outside").c_str(), Path("tree/sub/link").c_str()), 0);
  ASSERT_OK(RemoveTree(Path("tree")));
  EXPECT_FALSE(FileExists(Path("tree")));
  EXPECT_TRUE(FileExists(Path("outside/kept")));
  EXPECT_OK(RemoveTree(Path("tree")));
}

TEST(PathTest, SplitsAtTheLastSlash) {
  EXPECT_EQ(Basename("/a/b"), "b");
  EXPECT_EQ(Basename("b"), "b");
  EXPECT_EQ(Dirname("/a/b"), "/a");
  EXPECT_EQ(Dirname("/a"), "/");
  EXPECT_EQ(Dirname("a"), ".");
  EXPECT_EQ(JoinPath("/a/", "/b"), "/a/b");
}

TEST(TempDirTest, DisappearsWithItsOwner) {
  std::string path;
  {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("tempdir_test"));
    path = dir.path();
    ASSERT_OK(WriteFileAtomically(JoinPath(path, "f"), "x"));
  }
  EXPECT_FALSE(FileExists(path));
}

}  // namespace
}  // namespace ktstr
