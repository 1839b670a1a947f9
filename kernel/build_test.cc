// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/build.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kernel/testing/tiny_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A `make` that behaves like the kernel's as far as the builder looks: it reads
// `behaviour` beside itself and installs the prepared vmlinux.
constexpr char kFakeMake[] = R"(#!/bin/sh
here=$(dirname "$0")
. "$here/behaviour"
for arg; do
  case $arg in
    tinyconfig) echo "CONFIG_TINY=y" > .config ;;
    olddefconfig) sed -i "/$drop/d" .config ;;
    bzImage)
      echo "  CC      kernel/fork.o"
      echo "  CC      kernel/exit.o"
      $during_compile
      cp "$here/vmlinux" vmlinux
      mkdir -p arch/x86/boot && echo packed > arch/x86/boot/bzImage ;;
    scx_*)
      [ -z "$fail_schedulers" ] || exit 3
      mkdir -p tools/sched_ext/build/bin
      echo "program $*" > "tools/sched_ext/build/bin/$arg" ;;
  esac
done
)";

class BuildKernelTest : public testing::Test {
 protected:
  BuildKernelTest()
      : dir_(*TempDir::Create("kernel-build")),
        cache_(*KernelCache::Open(Path("kernels"))),
        old_path_(getenv("PATH")) {
    options_.spec = "6.12";
    options_.source_dir = dir_.path();
    options_.jobs = 1;
    options_.on_progress = [this](const BuildProgress& progress) {
      if (stages_.empty() || stages_.back() != progress.stage) {
        stages_.push_back(progress.stage);
      }
      objects_ = std::max(objects_, progress.objects);
    };
    Program("make", kFakeMake);
    for (const char* name : {"pahole", "flex", "bison", "bc", "clang-19",
                             "llc-19", "llvm-strip-19"}) {
      Program(name, "#!/bin/sh\n");
    }
    Program("gcc", "#!/bin/sh\necho 12\n");
    setenv("PATH", absl::StrCat(Path("bin"), ":", old_path_).c_str(), 1);
    Behave("");
    PrepareVmlinux(kconfig::MergeFragments(kconfig::EmbeddedFragments())->text);
    MakeTarball();
  }
  ~BuildKernelTest() override { setenv("PATH", old_path_.c_str(), 1); }

  std::string Path(absl::string_view name) const {
    return JoinPath(dir_.path(), name);
  }
  void Program(const std::string& name, const char* script) {
    EXPECT_OK(MakeDirs(Path("bin")));
    EXPECT_OK(WriteFileAtomically(Path("bin/" + name), script, 0755));
  }
  // Shell assignments: drop (a pattern), during_compile (a command),
  // fail_schedulers.
  void Behave(const std::string& text) {
    EXPECT_OK(WriteFileAtomically(
        Path("bin/behaviour"),
        absl::StrCat("drop='^$' during_compile=: fail_schedulers=\n", text)));
  }
  void PrepareVmlinux(const std::string& config) {
    EXPECT_OK(WriteFileAtomically(
        Path("bin/vmlinux"),
        MakeTinyVmlinux({.config = config, .debug_bytes = 100000})));
  }
  void MakeTarball() {
    EXPECT_OK(MakeDirs(Path("linux-source-6.12")));
    EXPECT_OK(WriteFileAtomically(Path("linux-source-6.12/Makefile"), "all:"));
    CommandSpec tar;
    tar.argv = {"tar", "-cJf",      Path("linux-source-6.12.tar.xz"),
                "-C",  dir_.path(), "linux-source-6.12"};
    ASSERT_OK_AND_ASSIGN(CommandOutput output,
                         RunCommand(tar, absl::Seconds(30)));
    ASSERT_TRUE(output.exit.ok()) << output.err;
  }
  absl::StatusOr<BuildResult> Build() { return BuildKernel(cache_, options_); }
  std::vector<std::string> CacheContent() { return *ListDir(cache_.root()); }

  TempDir dir_;
  KernelCache cache_;
  std::string old_path_;
  BuildOptions options_;
  std::vector<BuildStage> stages_;
  int64_t objects_ = 0;
};

TEST_F(BuildKernelTest, StoresKernelConfigAndSchedulers) {
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_FALSE(result.was_cached);
  EXPECT_EQ(result.warning, "");
  EXPECT_EQ(result.entry.metadata.version, "6.12.117");
  EXPECT_EQ(result.entry.metadata.toolchain, "gcc 12");
  EXPECT_EQ(result.entry.metadata.objects, 2);
  EXPECT_EQ(result.entry.metadata.arch, "x86_64");
  EXPECT_THAT(result.entry.schedulers,
              ElementsAre(EndsWith("/scx_qmap"), EndsWith("/scx_simple")));
  EXPECT_THAT(ReadFile(result.entry.schedulers[1]),
              IsOkAndHolds(AllOf(HasSubstr("CLANG=clang-19"),
                                 HasSubstr("LDFLAGS=-static"))));
  EXPECT_THAT(ReadFile(result.entry.config_path),
              IsOkAndHolds(HasSubstr("CONFIG_SCHED_CLASS_EXT=y")));
  ASSERT_OK_AND_ASSIGN(std::string image, ReadFile(result.entry.vmlinux_path));
  EXPECT_EQ(image.find("DDDD"), std::string::npos);
  EXPECT_THAT(ReadFile(JoinPath(result.entry.dir, "bzImage")),
              IsOkAndHolds("packed\n"));
  EXPECT_EQ(objects_, 2);
  EXPECT_THAT(stages_,
              ElementsAre(BuildStage::kUnpacking, BuildStage::kConfiguring,
                          BuildStage::kCompiling, BuildStage::kSchedulers,
                          BuildStage::kStoring, BuildStage::kDone));
  EXPECT_THAT(CacheContent(),
              ElementsAre(".images", ".locks", result.entry.key));
}

TEST_F(BuildKernelTest, SecondBuildIsAHit) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  Behave("during_compile='exit 1'");
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_TRUE(second.was_cached);
  EXPECT_EQ(second.entry.key, first.entry.key);
}

TEST_F(BuildKernelTest, APackageAndAMajorNumberAreTheSameSource) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  for (const char* spec : {"deb:linux-source-6.12", "6", "6.12"}) {
    options_.spec = spec;
    ASSERT_OK_AND_ASSIGN(BuildResult again, Build());
    EXPECT_TRUE(again.was_cached) << spec;
    EXPECT_EQ(again.entry.key, first.entry.key) << spec;
  }
}

TEST_F(BuildKernelTest, FurtherOptionsMakeAnotherKernelThatOnlyItsKeyFinds) {
  ASSERT_OK_AND_ASSIGN(BuildResult plain, Build());
  options_.fragment = Path("fast.config");
  ASSERT_OK(WriteFileAtomically(options_.fragment, "CONFIG_HZ_1000=y\n"));
  PrepareVmlinux(kconfig::MergeFragments(kconfig::EmbeddedFragments())->text +
                 "CONFIG_HZ_1000=y\n");
  ASSERT_OK_AND_ASSIGN(BuildResult fast, Build());
  EXPECT_FALSE(fast.was_cached);
  EXPECT_THAT(fast.entry.key, StartsWith(plain.entry.key + "-fast-"));
  EXPECT_EQ(fast.entry.metadata.extra_fragment, "fast");
  EXPECT_THAT(ReadFile(fast.entry.config_path),
              IsOkAndHolds(HasSubstr("CONFIG_HZ_1000=y")));
  ASSERT_OK_AND_ASSIGN(BuildResult again, Build());
  EXPECT_TRUE(again.was_cached);

  ASSERT_OK_AND_ASSIGN(KernelEntry found,
                       cache_.FindVersion(*KernelVersion::Parse("6.12")));
  EXPECT_EQ(found.key, plain.entry.key);

  ASSERT_OK(WriteFileAtomically(options_.fragment, "CONFIG_HZ_300=y\n"));
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("CONFIG_HZ_300")));
}

TEST_F(BuildKernelTest, FragmentsThatCannotBeAreRefusedBeforeAnythingRuns) {
  options_.fragment = Path("no such.config");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("letters, digits and _")));
  options_.fragment = Path("absent.config");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kNotFound,
                                HasSubstr("absent.config")));
  options_.fragment = Path("poor.config");
  ASSERT_OK(WriteFileAtomically(options_.fragment, "CONFIG_VSOCKETS=n\n"));
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("cannot talk to the host")));
  EXPECT_TRUE(stages_.empty());
}

TEST_F(BuildKernelTest, ForceBuildsAgain) {
  ASSERT_OK(Build().status());
  options_.force = true;
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_FALSE(result.was_cached);
}

TEST_F(BuildKernelTest, ACorruptEntryIsBuiltAgain) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  ASSERT_OK(WriteFileAtomically(first.entry.vmlinux_path, "short"));
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_FALSE(second.was_cached);
  EXPECT_OK(cache_.Find(first.entry.key).status());
}

TEST_F(BuildKernelTest, ToolchainAndSourceAreInTheKey) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  Program("gcc", "#!/bin/sh\necho 13\n");
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_NE(first.entry.key, second.entry.key);
}

TEST_F(BuildKernelTest, AnOptionThatDoesNotSurviveIsNamedBeforeCompiling) {
  Behave("drop=SCHED_CLASS_EXT");
  EXPECT_THAT(Build(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("CONFIG_SCHED_CLASS_EXT is n, needs y"),
                             HasSubstr("schedulers cannot attach"))));
  EXPECT_EQ(stages_.back(), BuildStage::kConfiguring);
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, TheCompiledKernelIsVerifiedToo) {
  PrepareVmlinux("CONFIG_SMP=y\n");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("the compiled kernel")));
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, AFailedCompilationShowsWhyAndLeavesNothing) {
  Behave("during_compile='eval echo fork.c:1: oh no; exit 2'");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInternal,
                                AllOf(HasSubstr("compiling the kernel failed"),
                                      HasSubstr("fork.c:1: oh no"))));
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, AKernelWithoutItsSchedulersIsAWarning) {
  Behave("fail_schedulers=1");
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_THAT(result.warning, HasSubstr("sched_ext schedulers failed"));
  EXPECT_TRUE(result.entry.schedulers.empty());
}

TEST_F(BuildKernelTest, CancelLeavesNothing) {
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
  Behave("during_compile='exec sleep 1000'");
  options_.cancel_fd = cancel.get();
  auto record = options_.on_progress;
  options_.on_progress = [&](const BuildProgress& progress) {
    record(progress);
    if (progress.stage == BuildStage::kCompiling) {
      eventfd_write(cancel.get(), 1);
    }
  };
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, WhatAKilledBuildLeavesIsSweptByTheNext) {
  // Said by the compiler, so that nothing is between fork and exec any more,
  // where a child holds what its parent has locked.
  const std::string ready = Path("ready");
  ASSERT_EQ(mkfifo(ready.c_str(), 0600), 0);
  Behave(
      absl::StrCat("during_compile='eval echo >", ready, "; exec sleep 1000'"));
  pid_t child = fork();
  if (child == 0) {
    Build().IgnoreError();
    _exit(0);
  }
  // Waits for the one who writes.
  ASSERT_OK(ReadFile(ready, 16));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(cache_.List(), IsOkAndHolds(testing::IsEmpty()));
  EXPECT_EQ(CacheContent().size(), 3u);
  Behave("");
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_THAT(CacheContent(),
              ElementsAre(".images", ".locks", result.entry.key));
}

// A source tree with the landmarks of a kernel's.
class BuildTreeTest : public BuildKernelTest {
 protected:
  BuildTreeTest() {
    options_.spec = Path("linux");
    Write("Makefile", "VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 117\n");
    for (const char* name :
         {"Kconfig", "kernel/sched/core.c", "include/linux/sched.h"}) {
      Write(name, "");
    }
  }
  void Write(const std::string& name, const std::string& text) {
    const std::string path = Path("linux/" + name);
    EXPECT_OK(MakeDirs(std::string(Dirname(path))));
    EXPECT_OK(WriteFileAtomically(path, text));
  }
  void Git(std::vector<std::string> args) {
    CommandSpec git;
    git.argv = {"git",         "-C", Path("linux"),   "-c",
                "user.name=a", "-c", "user.email=a@b"};
    git.argv.insert(git.argv.end(), args.begin(), args.end());
    ASSERT_OK_AND_ASSIGN(CommandOutput output,
                         RunCommand(git, absl::Seconds(30)));
    ASSERT_TRUE(output.exit.ok()) << output.err;
  }
  void Commit() {
    Git({"init", "-q"});
    Git({"add", "."});
    Git({"commit", "-q", "-m", "x"});
  }
};

TEST_F(BuildTreeTest, ACleanCheckoutIsBuiltOnce) {
  Commit();
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  EXPECT_FALSE(first.was_cached);
  EXPECT_THAT(first.entry.key, StartsWith("local-"));
  EXPECT_EQ(first.entry.metadata.source, "local");
  EXPECT_FALSE(first.entry.metadata.is_dirty);
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_TRUE(second.was_cached);
  EXPECT_EQ(second.entry.key, first.entry.key);
  EXPECT_FALSE(FileExists(Path("linux/.config")));
}

TEST_F(BuildTreeTest, ADirtyTreeIsBuiltEachTimeAndLabelled) {
  Commit();
  ASSERT_OK_AND_ASSIGN(BuildResult clean, Build());
  Write("kernel/sched/core.c", "changed");
  ASSERT_OK_AND_ASSIGN(BuildResult dirty, Build());
  EXPECT_FALSE(dirty.was_cached);
  EXPECT_THAT(dirty.entry.key, StartsWith("local-dirty-"));
  EXPECT_TRUE(dirty.entry.metadata.is_dirty);
  ASSERT_OK_AND_ASSIGN(BuildResult again, Build());
  EXPECT_FALSE(again.was_cached);
  EXPECT_EQ(again.entry.key, dirty.entry.key);
  EXPECT_EQ(cache_.List()->size(), 2u);
}

TEST_F(BuildTreeTest, TheCopyIsKeptForTheNextBuild) {
  Behave("during_compile='touch kernel/sched/core.o'");
  ASSERT_OK(Build().status());
  Behave("during_compile='eval test -e kernel/sched/core.o || exit 7'");
  EXPECT_OK(Build().status());
}

TEST_F(BuildTreeTest, NoVersionFindsATree) {
  Commit();
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_THAT(cache_.FindVersion(*KernelVersion::Parse("6.12")),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(cache_.Find(result.entry.key).status());
}

TEST_F(BuildTreeTest, ADirectoryThatIsNoKernelIsRefused) {
  options_.spec = dir_.path();
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("is no kernel source tree")));
}

TEST_F(BuildKernelTest, AMissingSourcePackageIsNamed) {
  options_.spec = "6.13";
  EXPECT_THAT(Build(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("linux-source-6.13 is not installed")));
  options_.spec = "latest";
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument));
  options_.spec = "6.12.5";
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("not 6.12.5")));
}

TEST_F(BuildKernelTest, MissingToolsAreNamedWithTheirPackages) {
  setenv("PATH", Path("bin").c_str(), 1);
  ASSERT_OK(RemoveTree(Path("bin/pahole")));
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("pahole (package dwarves)")));
}

}  // namespace
}  // namespace ktstr::kernel
