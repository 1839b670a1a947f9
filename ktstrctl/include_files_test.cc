// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/include_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class IncludeFilesTest : public ::testing::Test {
 protected:
  IncludeFilesTest() : dir_(*TempDir::Create("includes-")) {
    char* real = realpath(dir_.path().c_str(), nullptr);
    root_ = real;
    free(real);
  }

  std::string Path(const std::string& name) { return JoinPath(root_, name); }

  // With its parents.
  std::string Make(const std::string& name, const std::string& content = "x",
                   mode_t mode = 0644) {
    std::string path = Path(name);
    EXPECT_OK(MakeDirs(std::string(Dirname(path))));
    EXPECT_OK(WriteFileAtomically(path, content, mode));
    return path;
  }
  void Link(const std::string& target, const std::string& name) {
    EXPECT_EQ(symlink(target.c_str(), Path(name).c_str()), 0);
  }

  absl::StatusOr<std::vector<IncludedFile>> Collect(
      const std::vector<std::string>& words) {
    return CollectIncludeFiles(words, search_path_);
  }
  void ExpectRefused(const std::vector<std::string>& words,
                     const std::string& why) {
    EXPECT_THAT(Collect(words),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
  }

  TempDir dir_;
  std::string root_;
  std::string search_path_;
};

TEST_F(IncludeFilesTest, FileKeepsItsNameAndExecutableBit) {
  Make("data.txt");
  Make("run.sh", "#!/bin/sh\n", 0755);
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> files,
                       Collect({Path("data.txt"), Path("run.sh")}));
  EXPECT_THAT(
      files,
      ElementsAre(
          IncludedFile{Path("data.txt"), "/include-files/data.txt", false},
          IncludedFile{Path("run.sh"), "/include-files/run.sh", true}));
}

TEST_F(IncludeFilesTest, DirectoryKeepsItsStructureAndFollowsLinks) {
  Make("tree/a/one");
  Make("tree/two");
  Make("elsewhere/three");
  Link("../elsewhere", "tree/linked");
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> files,
                       Collect({Path("tree/")}));
  EXPECT_THAT(
      files,
      ElementsAre(IncludedFile{Path("tree/a/one"), "/include-files/tree/a/one"},
                  IncludedFile{Path("elsewhere/three"),
                               "/include-files/tree/linked/three"},
                  IncludedFile{Path("tree/two"), "/include-files/tree/two"}));
}

TEST_F(IncludeFilesTest, DirectoryByDotHasItsRealName) {
  Make("tree/a/one");
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> files,
                       Collect({Path("tree/a/..")}));
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].guest_path, "/include-files/tree/a/one");
}

TEST_F(IncludeFilesTest, SameDirectoryTwiceBesideItselfIsNoLoop) {
  Make("tree/a/one");
  Link("a", "tree/b");
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> files,
                       Collect({Path("tree")}));
  EXPECT_EQ(files.size(), 2u);
}

TEST_F(IncludeFilesTest, LoopIsRefused) {
  Make("tree/a/one");
  Link("..", "tree/a/up");
  ExpectRefused({Path("tree")}, "leads back to");
}

TEST_F(IncludeFilesTest, BareNameIsFoundHereFirstAndThenOnThePath) {
  char* cwd = getcwd(nullptr, 0);
  Make("bin/tool", "path", 0755);
  Make("bin/plain", "no program", 0644);
  search_path_ = "/nonexistent:" + Path("bin");
  ASSERT_OK(MakeDirs(Path("here")));
  ASSERT_EQ(chdir(Path("here").c_str()), 0);
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> files, Collect({"tool"}));
  EXPECT_THAT(files, ElementsAre(IncludedFile{Path("bin/tool"),
                                              "/include-files/tool", true}));
  Make("here/tool");
  ASSERT_OK_AND_ASSIGN(files, Collect({"tool"}));
  EXPECT_THAT(files, ElementsAre(IncludedFile{Path("here/tool"),
                                              "/include-files/tool"}));
  ExpectRefused({"plain"}, "neither in the working directory nor");
  // A path is not searched for.
  ExpectRefused({"./nothing"}, "./nothing");
  EXPECT_EQ(chdir(cwd), 0);
  free(cwd);
}

TEST_F(IncludeFilesTest, ExplicitPathMustExist) {
  ExpectRefused({Path("nothing")}, Path("nothing"));
  Make("tree/one");
  Link("nowhere", "tree/broken");
  ExpectRefused({Path("tree")}, "broken");
}

TEST_F(IncludeFilesTest, DirectoryWithoutFilesIsRefused) {
  ASSERT_OK(MakeDirs(Path("empty/still/empty")));
  ExpectRefused({Path("empty")}, "without files");
}

TEST_F(IncludeFilesTest, TwoFilesForOnePlaceAreRefusedAndOneTwiceIsNot) {
  Make("a/data");
  Make("b/data");
  Link("a/data", "data");
  ExpectRefused({Path("a/data"), Path("b/data")}, "two files for");
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> files,
                       Collect({Path("a/data"), Path("data"), Path("a/data")}));
  EXPECT_EQ(files.size(), 1u);
  // A directory that only repeats is not empty.
  EXPECT_OK(Collect({Path("a"), Path("a")}));
}

TEST_F(IncludeFilesTest, ReservedAndUnpackableNamesAreRefused) {
  Make("tree/.ktstr_init_ok");
  ExpectRefused({Path("tree")}, ".ktstr_");
  ExpectRefused({"/"}, "no name of its own");
  Make("odd/\xff\xfe");
  ExpectRefused({Path("odd")}, "not UTF-8");
  Make("good/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_OK(Collect({Path("good")}));
}

TEST_F(IncludeFilesTest, WhatIsNoFileIsRefused) {
  ASSERT_OK(MakeDirs(Path("tree")));
  ASSERT_EQ(mkfifo(Path("tree/pipe").c_str(), 0600), 0);
  ExpectRefused({Path("tree")}, "neither a file nor a directory");
  ExpectRefused({"/dev/null"}, "neither a file nor a directory");
}

TEST_F(IncludeFilesTest, TooManyFilesAreRefused) {
  ASSERT_OK(MakeDirs(Path("many")));
  for (size_t i = 0; i <= kMaxIncludedFiles; ++i) {
    UniqueFd fd =
        *OpenFile(Path("many/" + std::to_string(i)), O_WRONLY | O_CREAT);
  }
  ExpectRefused({Path("many")}, "more than 1900 files");
}

TEST_F(IncludeFilesTest, ProgramBringsItsLibrariesOnce) {
  // This test program's own shell is dynamic on every Debian.
  std::string first = Path("first"), second = Path("second");
  ASSERT_OK_AND_ASSIGN(std::string shell, ReadFile("/bin/bash"));
  Make("first", shell, 0755);
  Make("second", shell, 0755);
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> one, Collect({first}));
  ASSERT_OK_AND_ASSIGN(std::vector<IncludedFile> two, Collect({first, second}));
  EXPECT_GT(one.size(), 2u);
  EXPECT_EQ(two.size(), one.size() + 1);
  bool has_libc = false;
  for (const IncludedFile& file : one) {
    has_libc |= file.guest_path.find("/libc.so.6") != std::string::npos;
  }
  EXPECT_TRUE(has_libc);
}

TEST_F(IncludeFilesTest, FilesThatNoLinkerLoadsComeAsTheyAre) {
  ASSERT_OK_AND_ASSIGN(std::string elf, ReadFile("/bin/bash"));
  elf[16] = 1;  // ET_REL
  Make("object.o", elf);
  elf[16] = 3;
  elf[18] = static_cast<char>(247);  // EM_BPF
  Make("program.bpf", elf);
  Make("short",
       "\x7f"
       "ELF");
  ASSERT_OK_AND_ASSIGN(
      std::vector<IncludedFile> files,
      Collect({Path("object.o"), Path("program.bpf"), Path("short")}));
  EXPECT_EQ(files.size(), 3u);
}

}  // namespace
}  // namespace ktstr::ktstrctl
