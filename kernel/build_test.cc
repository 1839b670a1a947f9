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
#include "kconfig/verify.h"
#include "kernel/testing/stand_in_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class BuildKernelTest : public testing::Test {
 protected:
  BuildKernelTest()
      : dir_(*TempDir::Create("kernel-build")),
        cache_(*KernelCache::Open(Path("kernels"))),
        tools_(dir_.path()),
        old_path_(getenv("PATH")) {
    options_.spec = "deb:linux-source-6.12";
    options_.source_dir = dir_.path();
    options_.jobs = 1;
    options_.on_progress = [this](const BuildProgress& progress) {
      if (stages_.empty() || stages_.back() != progress.stage) {
        stages_.push_back(progress.stage);
      }
      objects_ = std::max(objects_, progress.objects);
    };
    setenv("PATH", tools_.path().c_str(), 1);
    PackStandInTree(Path("linux-source-6.12.tar.xz"), "linux-source-6.12",
                    "6.12.117");
  }
  ~BuildKernelTest() override { setenv("PATH", old_path_.c_str(), 1); }

  std::string Path(absl::string_view name) const {
    return JoinPath(dir_.path(), name);
  }
  absl::StatusOr<BuildResult> Build() { return BuildKernel(cache_, options_); }
  std::vector<std::string> CacheContent() { return *ListDir(cache_.root()); }

  TempDir dir_;
  KernelCache cache_;
  StandInTools tools_;
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
              ElementsAre(BuildStage::kResolving, BuildStage::kUnpacking,
                          BuildStage::kConfiguring, BuildStage::kCompiling,
                          BuildStage::kSchedulers, BuildStage::kStoring,
                          BuildStage::kDone));
  EXPECT_THAT(CacheContent(),
              ElementsAre(".images", ".locks", result.entry.key));
}

TEST_F(BuildKernelTest, SecondBuildIsAHit) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  tools_.Behave("during_compile='exit 1'");
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_TRUE(second.was_cached);
  EXPECT_EQ(second.entry.key, first.entry.key);
}

TEST_F(BuildKernelTest, WithoutANetworkAVersionIsThatOfThePackage) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  for (const char* spec : {"6", "6.12"}) {
    options_.spec = spec;
    ASSERT_OK_AND_ASSIGN(BuildResult again, Build());
    EXPECT_TRUE(again.was_cached) << spec;
    EXPECT_EQ(again.entry.key, first.entry.key) << spec;
  }
}

TEST_F(BuildKernelTest, CompilesThroughCcacheWhereThereIsOne) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
  tools_.Program("ccache", "#!/bin/sh\nexec \"$@\"\n");
  options_.force = true;
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_EQ(second.entry.key, first.entry.key);
  ASSERT_OK_AND_ASSIGN(std::string log, ReadFile(Path("bin/compilations")));
  EXPECT_THAT(log, EndsWith("bzImage CC=ccache gcc HOSTCC=ccache gcc\n"));
}

TEST_F(BuildKernelTest, FurtherOptionsMakeAnotherKernelThatOnlyItsKeyFinds) {
  ASSERT_OK_AND_ASSIGN(BuildResult plain, Build());
  options_.fragment = Path("fast.config");
  ASSERT_OK(WriteFileAtomically(options_.fragment, "CONFIG_HZ_1000=y\n"));
  tools_.PrepareVmlinux(
      kconfig::MergeFragments(kconfig::EmbeddedFragments())->text +
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
  EXPECT_THAT(stages_, ElementsAre(BuildStage::kResolving));
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
  tools_.Program("gcc", "#!/bin/sh\necho 13\n");
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
  EXPECT_NE(first.entry.key, second.entry.key);
}

TEST_F(BuildKernelTest, AnOptionThatDoesNotSurviveIsNamedBeforeCompiling) {
  tools_.Behave("drop=SCHED_CLASS_EXT");
  EXPECT_THAT(Build(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("CONFIG_SCHED_CLASS_EXT is n, needs y"),
                             HasSubstr("schedulers cannot attach"))));
  EXPECT_EQ(stages_.back(), BuildStage::kConfiguring);
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, TheCompiledKernelIsVerifiedToo) {
  tools_.PrepareVmlinux("CONFIG_SMP=y\n");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("the compiled kernel")));
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, ACompiledKernelWithoutAnyOneOptionIsRefused) {
  const auto requested =
      kconfig::MergeFragments(kconfig::EmbeddedFragments())->requested;
  // Whatever an empty configuration lacks, one after the other.
  for (kconfig::Requirement requirement : kconfig::AllRequirements()) {
    for (const kconfig::MissingOption& option :
         kconfig::MissingFor(requirement, kconfig::Kconfig())) {
      std::string config;
      for (const auto& [name, value] : requested.options()) {
        if (name == option.option) continue;
        absl::StrAppend(&config, "CONFIG_", name, "=", value, "\n");
      }
      tools_.PrepareVmlinux(config);
      EXPECT_THAT(
          Build(),
          StatusIs(absl::StatusCode::kFailedPrecondition,
                   AllOf(HasSubstr("1 option is not as needed: CONFIG_" +
                                   option.option + " is n, needs y: "))));
    }
  }
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, AFailedCompilationShowsWhyAndLeavesNothing) {
  tools_.Behave("during_compile='eval echo fork.c:1: oh no; exit 2'");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInternal,
                                AllOf(HasSubstr("compiling the kernel failed"),
                                      HasSubstr("fork.c:1: oh no"))));
  EXPECT_THAT(CacheContent(), ElementsAre(".images", ".locks"));
}

TEST_F(BuildKernelTest, AKernelWithoutItsSchedulersIsAWarning) {
  tools_.Behave("fail_schedulers=1");
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_THAT(result.warning, HasSubstr("sched_ext schedulers failed"));
  EXPECT_TRUE(result.entry.schedulers.empty());
}

TEST_F(BuildKernelTest, CancelLeavesNothing) {
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
  tools_.Behave("during_compile='exec sleep 1000'");
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
  tools_.Behave(
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
  tools_.Behave("");
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_THAT(CacheContent(),
              ElementsAre(".images", ".locks", result.entry.key));
}

// A source tree with the landmarks of a kernel's.
class BuildTreeTest : public BuildKernelTest {
 protected:
  BuildTreeTest() {
    options_.spec = Path("linux");
    WriteStandInTree(Path("linux"), "6.12.117");
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
  tools_.Behave("during_compile='touch kernel/sched/core.o'");
  ASSERT_OK(Build().status());
  tools_.Behave("during_compile='eval test -e kernel/sched/core.o || exit 7'");
  EXPECT_OK(Build().status());
}

TEST_F(BuildTreeTest, ATreeThatChangesWhileItIsCopiedIsDirty) {
  Commit();
  tools_.Program("rsync",
                 absl::StrCat("#!/bin/sh\n/usr/bin/rsync \"$@\"\necho x >> ",
                              Path("linux/kernel/sched/core.c"), "\n"));
  std::string note;
  options_.on_note = [&note](const std::string& text) { note = text; };
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build());
  EXPECT_THAT(note, HasSubstr("changed while it was copied"));
  EXPECT_THAT(result.entry.key, StartsWith("local-dirty-"));
  EXPECT_TRUE(result.entry.metadata.is_dirty);
  EXPECT_THAT(result.entry.metadata.source_package, EndsWith(", dirty"));
  EXPECT_EQ(cache_.List()->size(), 1u);
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

TEST_F(BuildTreeTest, ACommitOfARepositoryIsBuiltOnce) {
  Commit();
  for (const char* ref : {"HEAD", "topic"}) {
    if (ref == std::string("topic")) Git({"branch", "topic"});
    options_.spec = absl::StrCat("git+file://", Path("linux"), "#", ref);
    ASSERT_OK_AND_ASSIGN(BuildResult first, Build());
    EXPECT_FALSE(first.was_cached);
    EXPECT_THAT(first.entry.key, StartsWith(absl::StrCat(ref, "-git-")));
    EXPECT_EQ(first.entry.metadata.source, "git");
    EXPECT_THAT(first.entry.metadata.source_package,
                HasSubstr("#" + std::string(ref) + " commit "));
    EXPECT_FALSE(first.entry.metadata.is_dirty);
    ASSERT_OK_AND_ASSIGN(BuildResult second, Build());
    EXPECT_TRUE(second.was_cached);
  }
  EXPECT_EQ(cache_.List()->size(), 2u);
  EXPECT_THAT(ListDir(cache_.DownloadPath("")),
              IsOkAndHolds(testing::IsEmpty()));
}

TEST_F(BuildKernelTest, WhatCannotBeBuiltIsNamed) {
  options_.spec = "deb:linux-source-6.13";
  EXPECT_THAT(Build(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("linux-source-6.13 is not installed")));
  for (const char* spec : {"latest", "6.12..6.14"}) {
    options_.spec = spec;
    EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kInvalidArgument,
                                  HasSubstr("cannot be built")));
  }
}

TEST_F(BuildKernelTest, MissingToolsAreNamedWithTheirPackages) {
  setenv("PATH", Path("bin").c_str(), 1);
  tools_.RemoveProgram("pahole");
  EXPECT_THAT(Build(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                HasSubstr("pahole (package dwarves)")));
}

}  // namespace
}  // namespace ktstr::kernel
