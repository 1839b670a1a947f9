// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/git_source.h"

#include <stdlib.h>
#include <sys/eventfd.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gtest/gtest.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class GitSourceTest : public testing::Test {
 protected:
  GitSourceTest() : dir_(*TempDir::Create("git")) {
    EXPECT_OK(MakeDirs(Path("origin")));
    Git({"init", "-q", "-b", "main"});
    first_ = Commit("one");
    Git({"tag", "-a", "v1", "-m", "annotated"});
    Git({"branch", "topic/x"});
    second_ = Commit("two");
    url_ = "file://" + Path("origin");
  }
  std::string Path(absl::string_view name) const {
    return JoinPath(dir_.path(), name);
  }
  std::string Run(std::vector<std::string> argv) {
    CommandSpec command;
    command.argv = std::move(argv);
    auto output = RunCommand(command, absl::Minutes(1));
    EXPECT_OK(output.status());
    EXPECT_TRUE(output->exit.ok()) << output->err;
    return std::string(absl::StripAsciiWhitespace(output->out));
  }
  std::string Git(std::vector<std::string> args) {
    args.insert(args.begin(), {"git", "-C", Path("origin"), "-c", "user.name=a",
                               "-c", "user.email=a@b"});
    return Run(std::move(args));
  }
  std::string Commit(const std::string& text) {
    EXPECT_OK(WriteFileAtomically(Path("origin/file"), text));
    Git({"add", "."});
    Git({"commit", "-q", "-m", text});
    return Git({"rev-parse", "HEAD"});
  }
  absl::StatusOr<GitCommit> Resolve(const std::string& ref) {
    return ResolveGitRef(url_, ref, -1);
  }

  TempDir dir_;
  std::string url_, first_, second_;
};

TEST_F(GitSourceTest, ARefStandsForItsCommit) {
  EXPECT_EQ(Resolve("main")->hash, second_);
  EXPECT_EQ(Resolve("HEAD")->hash, second_);
  EXPECT_EQ(Resolve("v1")->hash, first_);  // not the tag's own object
  EXPECT_EQ(Resolve("v1")->ref, "refs/tags/v1");
  EXPECT_EQ(Resolve("topic/x")->hash, first_);
  EXPECT_EQ(Resolve("refs/heads/topic/x")->hash, first_);
  EXPECT_EQ(Resolve(first_)->hash, first_);
}

TEST_F(GitSourceTest, WholeNamesAreMeant) {
  // To ls-remote "x" would be the end of "topic/x", too.
  EXPECT_THAT(Resolve("x"), StatusIs(absl::StatusCode::kNotFound,
                                     HasSubstr("has no tag and no branch x")));
  Git({"branch", "v1", "main"});
  EXPECT_EQ(Resolve("v1")->hash, first_);  // the tag
}

TEST_F(GitSourceTest, WhatGitWouldMisunderstandIsRefused) {
  for (const char* ref :
       {"-upload-pack=x", "a b", "a*", "main^", "a..b", ":x"}) {
    EXPECT_THAT(Resolve(ref), StatusIs(absl::StatusCode::kInvalidArgument))
        << ref;
  }
  EXPECT_THAT(ResolveGitRef("--upload-pack=x", "main", -1),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(ResolveGitRef("ext::sh -c true", "main", -1),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("transport 'ext' not allowed")));
}

TEST_F(GitSourceTest, NoRepositoryIsSaidInGitsWords) {
  EXPECT_THAT(
      ResolveGitRef("file://" + Path("none"), "main", -1),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(Path("none"))));
}

TEST_F(GitSourceTest, BringsOneCommitAndItsFiles) {
  for (const std::string& ref :
       {std::string("main"), std::string("v1"), first_}) {
    ASSERT_OK_AND_ASSIGN(GitCommit commit, Resolve(ref));
    const std::string repository = Path("got-" + RefInKey(ref));
    const std::string copy = Path("copy-" + RefInKey(ref));
    ASSERT_OK(FetchGitCommit(commit, repository, -1));
    // A second time, as after a killed build.
    ASSERT_OK(WriteFileAtomically(JoinPath(repository, "shallow.lock"), ""));
    ASSERT_OK(FetchGitCommit(commit, repository, -1));
    EXPECT_EQ(Run({"git", "--git-dir", repository, "rev-list", "--count",
                   commit.hash}),
              "1");
    ASSERT_OK(MakeDirs(copy));
    Run(CheckoutCommand(repository, commit.hash, copy));
    EXPECT_THAT(ReadFile(JoinPath(copy, "file")),
                IsOkAndHolds(ref == "main" ? "two" : "one"));
    EXPECT_THAT(ListDir(copy), IsOkAndHolds(testing::ElementsAre("file")));
  }
}

TEST_F(GitSourceTest, NoHookRuns) {
  ASSERT_OK_AND_ASSIGN(GitCommit commit, Resolve("main"));
  ASSERT_OK(FetchGitCommit(commit, Path("got"), -1));
  ASSERT_OK(MakeDirs(Path("got/hooks")));
  ASSERT_OK(WriteFileAtomically(Path("got/hooks/post-checkout"),
                                absl::StrCat("#!/bin/sh\n: > ", Path("ran")),
                                0755));
  ASSERT_OK(MakeDirs(Path("copy")));
  Run(CheckoutCommand(Path("got"), commit.hash, Path("copy")));
  EXPECT_FALSE(FileExists(Path("ran")));
}

TEST_F(GitSourceTest, ABranchThatMovedMeanwhileIsNotTaken) {
  ASSERT_OK_AND_ASSIGN(GitCommit commit, Resolve("main"));
  Commit("three");
  EXPECT_THAT(FetchGitCommit(commit, Path("got"), -1),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("it has become another commit")));
}

TEST_F(GitSourceTest, AHooksVariablesDoNotMatter) {
  setenv("GIT_DIR", Path("nowhere").c_str(), 1);
  setenv("GIT_INDEX_FILE", Path("nowhere/index").c_str(), 1);
  absl::StatusOr<GitCommit> commit = Resolve("main");
  absl::Status fetched =
      commit.ok() ? FetchGitCommit(*commit, Path("got"), -1) : commit.status();
  EXPECT_OK(MakeDirs(Path("copy")));
  if (commit.ok())
    Run(CheckoutCommand(Path("got"), commit->hash, Path("copy")));
  unsetenv("GIT_DIR");
  unsetenv("GIT_INDEX_FILE");
  EXPECT_OK(fetched);
  EXPECT_THAT(ReadFile(Path("copy/file")), IsOkAndHolds("two"));
}

TEST(RefInKeyTest, HasOnlyWhatAKeyMayHave) {
  EXPECT_EQ(RefInKey("v6.12"), "v6.12");
  EXPECT_EQ(RefInKey("refs/heads/topic/x@y"), "topic-x-y");
  EXPECT_EQ(RefInKey(".x"), "ref-.x");
  EXPECT_EQ(RefInKey(std::string(300, 'a')).size(), 60u);
}

}  // namespace
}  // namespace ktstr::kernel
