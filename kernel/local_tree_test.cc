// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/local_tree.h"

#include <stdlib.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

constexpr char kMakefile[] =
    "# SPDX-License-Identifier: GPL-2.0\n"
    "VERSION = 6\nPATCHLEVEL = 13\nSUBLEVEL = 0\nEXTRAVERSION = -rc2\n"
    "NAME = Baby Opossum Posse\n";

TEST(MakefileVersionTest, IsWhatTheHeadStates) {
  EXPECT_THAT(MakefileVersion(kMakefile), IsOkAndHolds("6.13-rc2"));
  EXPECT_THAT(MakefileVersion("VERSION = 6\nPATCHLEVEL=12\nSUBLEVEL = 9\n"
                              "EXTRAVERSION =\nVERSION = 7\n"),
              IsOkAndHolds("6.12.9"));
  EXPECT_THAT(MakefileVersion("all:\n\tcc x.c\n"),
              StatusIs(absl::StatusCode::kNotFound));
}

class LocalTreeTest : public ::testing::Test {
 protected:
  LocalTreeTest() : dir_(*TempDir::Create("local-tree")) {
    Write("linux/Makefile", kMakefile);
    Write("linux/Kconfig", "");
    Write("linux/kernel/sched/core.c", "one");
    Write("linux/include/linux/sched.h", "");
  }

  std::string Path(const std::string& name) const {
    return JoinPath(dir_.path(), name);
  }
  void Write(const std::string& name, const std::string& text) {
    EXPECT_OK(MakeDirs(std::string(Dirname(Path(name)))));
    EXPECT_OK(WriteFileAtomically(Path(name), text));
  }
  void RunIn(const std::string& dir, std::vector<std::string> argv) {
    CommandSpec command;
    command.argv = std::move(argv);
    command.working_dir = dir;
    command.extra_env = {"GIT_CONFIG_GLOBAL=/dev/null"};
    auto output = RunCommand(command, absl::Seconds(30));
    ASSERT_OK(output.status());
    ASSERT_TRUE(output->exit.ok()) << output->err;
  }
  void Commit() {
    RunIn(Path("linux"), {"git", "init", "-q"});
    RunIn(Path("linux"), {"git", "add", "."});
    RunIn(Path("linux"), {"git", "-c", "user.name=a", "-c", "user.email=a@b",
                          "commit", "-q", "-m", "x"});
  }
  void Copy() {
    EXPECT_OK(MakeDirs(Path("copy")));
    RunIn(dir_.path(), CopyTreeCommand(Path("linux"), Path("copy")));
  }

  TempDir dir_;
};

TEST_F(LocalTreeTest, WithoutGitNobodyKnowsWhatIsInside) {
  ASSERT_OK_AND_ASSIGN(LocalTree tree, InspectLocalTree(Path("linux")));
  EXPECT_EQ(tree.version, "6.13-rc2");
  EXPECT_EQ(tree.commit, "");
  EXPECT_TRUE(tree.is_dirty);
}

TEST_F(LocalTreeTest, ACheckoutIsCleanUntilItIsChanged) {
  Commit();
  ASSERT_OK_AND_ASSIGN(LocalTree tree, InspectLocalTree(Path("linux")));
  EXPECT_EQ(tree.commit.size(), 40u);
  EXPECT_FALSE(tree.is_dirty);
  Write("linux/kernel/sched/new.c", "");
  EXPECT_TRUE(InspectLocalTree(Path("linux"))->is_dirty);
  RunIn(Path("linux"), {"rm", "kernel/sched/new.c"});
  Write("linux/kernel/sched/core.c", "two");
  EXPECT_TRUE(InspectLocalTree(Path("linux"))->is_dirty);
}

TEST_F(LocalTreeTest, GitVariablesOfTheCallerNameNoOtherTree) {
  Commit();
  setenv("GIT_DIR", Path("nowhere").c_str(), 1);
  absl::StatusOr<LocalTree> tree = InspectLocalTree(Path("linux"));
  unsetenv("GIT_DIR");
  ASSERT_OK(tree.status());
  EXPECT_EQ(tree->commit.size(), 40u);
  EXPECT_FALSE(tree->is_dirty);
}

TEST_F(LocalTreeTest, WhatIsNoKernelIsRefused) {
  EXPECT_THAT(InspectLocalTree(Path("nowhere")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nowhere")));
  EXPECT_THAT(InspectLocalTree(dir_.path()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("it has no Makefile")));
}

TEST_F(LocalTreeTest, ACopyFollowsItsTreeAndKeepsItsOwnProducts) {
  Write("linux/kernel/sched/core.o", "theirs");
  Write("linux/.config", "theirs");
  Copy();
  EXPECT_THAT(ReadFile(Path("copy/kernel/sched/core.c")), IsOkAndHolds("one"));
  EXPECT_FALSE(FileExists(Path("copy/kernel/sched/core.o")));
  EXPECT_FALSE(FileExists(Path("copy/.config")));

  Write("copy/kernel/sched/core.o", "ours");
  Write("copy/include/config/auto.conf", "ours");
  // A header that a tool's build put beside its library.
  const std::string header =
      "tools/bpf/resolve_btfids/libbpf/include/bpf/btf.h";
  Write("copy/" + header, "ours");
  Write("linux/kernel/sched/ext.c", "new");
  RunIn(Path("linux"), {"rm", "kernel/sched/core.c"});
  Copy();
  EXPECT_THAT(ReadFile(Path("copy/kernel/sched/core.o")), IsOkAndHolds("ours"));
  EXPECT_TRUE(FileExists(Path("copy/include/config/auto.conf")));
  EXPECT_TRUE(FileExists(Path("copy/" + header)));
  EXPECT_TRUE(FileExists(Path("copy/kernel/sched/ext.c")));
  EXPECT_FALSE(FileExists(Path("copy/kernel/sched/core.c")));
}

}  // namespace
}  // namespace ktstr::kernel
