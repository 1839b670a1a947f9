// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// `ktstrctl kernel build|list` as a person runs them, against a kernel.org of
// the test's own; what compiles takes milliseconds.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kernel/cache.h"
#include "kernel/testing/mirror.h"
#include "kernel/testing/stand_in_kernel.h"
#include "ktstrctl/testing/command_line.h"
#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {
namespace {

using ::ktstr::kernel::HttpReply;
using ::ktstr::kernel::HttpRequest;
using ::ktstr::kernel::Mirror;
using ::ktstr::kernel::StandInTools;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class KernelBuildsTest : public CommandLineTest {
 protected:
  void SetUp() override {
    CommandLineTest::SetUp();
    ASSERT_EQ(symlink(Built("kernel/ktstr_fetch").c_str(),
                      JoinPath(libexec_, "ktstr_fetch").c_str()),
              0);
    tools_.emplace(Path("tools"));
    mirror_ = std::make_unique<Mirror>(Path("mirror"));
    mirror_->Add("6.17.3");
    mirror_->Add("6.16.12");
    mirror_->Add("6.12.58", "longterm");
    mirror_->Add("6.11.11", "");
  }

  std::string Path(absl::string_view name) const {
    return JoinPath(dir_->path(), name);
  }
  std::vector<std::string> Surroundings() const {
    return {"KTSTR_CACHE_DIR=" + Path("kernel-cache"),
            "KTSTR_KERNEL_ORG=" + mirror_->url(),
            "SSL_CERT_FILE=" + mirror_->ca_file(),
            "XDG_CONFIG_HOME=" + dir_->path(),
            "PATH=" + tools_->path(),
            "https_proxy=",
            "CURL_CA_BUNDLE=",
            "KTSTR_KERNEL_KEYRING="};
  }
  Finished Kernel(std::vector<std::string> args) {
    args.insert(args.begin(), "kernel");
    return Run(args, Surroundings());
  }
  Running StartBuild(const std::string& spec) {
    auto running = Start({program_, "kernel", "build", spec}, Surroundings());
    EXPECT_OK(running.status());
    return *std::move(running);
  }
  // The cached kernels, all of which must be usable.
  std::vector<std::string> UsableKernels() {
    std::vector<std::string> keys;
    auto cache = kernel::KernelCache::Open(Path("kernel-cache/kernels"));
    EXPECT_OK(cache.status());
    auto all = cache->List();
    EXPECT_OK(all.status());
    for (const kernel::ListedKernel& kernel : *all) {
      EXPECT_EQ(kernel.problem, "") << kernel.entry.key;
      keys.push_back(kernel.entry.key);
    }
    return keys;
  }
  std::vector<std::string> CacheContent() {
    return *ListDir(Path("kernel-cache/kernels"));
  }
  // A pipe into which the stand-in tools can say where they are.
  std::string Fifo(const std::string& name) {
    EXPECT_EQ(mkfifo(Path(name).c_str(), 0600), 0);
    return Path(name);
  }

  std::optional<StandInTools> tools_;
  std::unique_ptr<Mirror> mirror_;
};

TEST_F(KernelBuildsTest, SeveralAtOnce) {
  Finished run = Kernel({"build", "6.12.58", "6.17", "6.12"});
  EXPECT_EQ(run.code, 0) << run.err;
  const std::vector<std::string> lines =
      absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  EXPECT_THAT(
      lines,
      ElementsAre(
          AllOf(StartsWith("6.12.58-tarball-"), HasSubstr("  built in ")),
          StartsWith("6.17.3-tarball-"),
          AllOf(StartsWith("6.12.58-tarball-"), HasSubstr("  cached  "))));
  EXPECT_EQ(tools_->compilations(), 2);
  EXPECT_EQ(mirror_->Requests(Mirror::TarballPath("6.12.58")), 1);
  EXPECT_EQ(mirror_->Requests(Mirror::TarballPath("6.17.3")), 1);
}

TEST_F(KernelBuildsTest, SeveralAreDownloadedAtTheSameTime) {
  // Each is answered only when both were asked for.
  const std::string paths[] = {Mirror::TarballPath("6.12.58"),
                               Mirror::TarballPath("6.17.3")};
  for (int i = 0; i < 2; ++i) {
    mirror_->Change(paths[i], [this, other = paths[1 - i]](HttpReply&, int) {
      mirror_->server().AwaitRequest(other);
    });
  }
  Finished run = Kernel({"build", "6.12", "6.17"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(tools_->compilations(), 2);
}

TEST_F(KernelBuildsTest, ARangeGoesOnAfterAFailureAndSaysSoAtTheEnd) {
  mirror_->Change(Mirror::TarballPath("6.16.12"),
                  [](HttpReply& reply, int) { reply.body[50] ^= 1; });
  Finished run = Kernel({"build", "6.12..6.17"});
  EXPECT_EQ(run.code, 1) << run.err;
  const std::vector<std::string> lines =
      absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  EXPECT_THAT(lines, ElementsAre(StartsWith("6.12.58-tarball-"),
                                 StartsWith("6.17.3-tarball-")));
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("linux-6.16.12.tar.xz: its SHA-256 is"),
                    HasSubstr("2 of 3 kernels are there; not: 6.16.12\n")));
  EXPECT_THAT(UsableKernels(), SizeIs(2));
}

TEST_F(KernelBuildsTest, ARangeWithoutReleasesIsAnError) {
  Finished run = Kernel({"build", "6.13..6.15"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("no stable or longterm release lies in "
                                 "6.13..6.15"));
  run = Kernel({"build", "6.17..6.12"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("must not be the newer one"));
}

TEST_F(KernelBuildsTest, TwoBuildsOfOneKernelAreOne) {
  const std::string ready = Fifo("ready");
  const std::string go_on = Fifo("go-on");
  tools_->Behave(absl::StrCat("during_compile='eval echo >", ready,
                              "; read line <", go_on, "'"));
  Running first = StartBuild("6.12");
  ASSERT_OK(first.AwaitText("compiling"));
  ASSERT_OK(ReadFile(ready, 16));
  Running second = StartBuild("6.12.58");
  ASSERT_OK(second.AwaitText("waiting"));
  ASSERT_OK_AND_ASSIGN(UniqueFd writer, OpenFile(go_on, O_WRONLY));
  ASSERT_OK(WriteAll(writer.get(), "\n"));
  ASSERT_OK_AND_ASSIGN(ExitStatus first_exit, first.Finish());
  ASSERT_OK_AND_ASSIGN(ExitStatus second_exit, second.Finish());
  EXPECT_TRUE(first_exit.ok()) << first.output;
  EXPECT_TRUE(second_exit.ok()) << second.output;
  EXPECT_THAT(first.output, HasSubstr("  built in "));
  EXPECT_THAT(second.output, HasSubstr("  cached  "));
  EXPECT_EQ(tools_->compilations(), 1);
  EXPECT_EQ(mirror_->Requests(Mirror::TarballPath("6.12.58")), 1);
}

TEST_F(KernelBuildsTest, ListMarksWhatNobodyMaintains) {
  ASSERT_EQ(Kernel({"build", "6.12"}).code, 0);
  tools_->PrepareRelease("6.11.11");
  ASSERT_EQ(Kernel({"build", "6.11"}).code, 0);
  Finished run = Kernel({"list"});
  EXPECT_EQ(run.code, 0);
  const std::vector<std::string> lines =
      absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  ASSERT_THAT(lines, SizeIs(3));
  for (const std::string& line : lines) {
    EXPECT_EQ(line.find("6.11.11-") == 0, line.find("valid, EOL") != line.npos)
        << line;
  }
  EXPECT_EQ(run.err, "EOL: nobody maintains the series any more\n");
}

TEST_F(KernelBuildsTest, ListInJson) {
  tools_->PrepareRelease("6.11.11");
  ASSERT_EQ(Kernel({"build", "6.11"}).code, 0);
  auto listed = nlohmann::json::parse(Kernel({"list", "--json"}).out);
  EXPECT_EQ(listed["current_ktstr_kconfig_hash"],
            listed["entries"][0]["fragments_hash"]);
  EXPECT_TRUE(listed["active_prefixes_fetch_error"].is_null());
  ASSERT_THAT(listed["entries"], SizeIs(1));
  EXPECT_EQ(listed["entries"][0]["eol"], true);
  EXPECT_EQ(listed["entries"][0]["kconfig_status"], "matches");
  const std::string image = listed["entries"][0]["image_path"];
  EXPECT_TRUE(FileExists(image)) << image;

  const std::string vmlinux = listed["entries"][0]["vmlinux"];
  ASSERT_OK(WriteFileAtomically(vmlinux, "short"));
  mirror_->Close();
  listed = nlohmann::json::parse(
      Run({"kernel", "list", "--json"},
          {"KTSTR_CACHE_DIR=" + Path("kernel-cache"),
           "KTSTR_KERNEL_ORG=https://localhost:1", "https_proxy="})
          .out);
  EXPECT_THAT(listed["active_prefixes_fetch_error"].get<std::string>(),
              HasSubstr("https://localhost:1/releases.json: "));
  EXPECT_EQ(listed["entries"][0]["error_kind"], "truncated");
  EXPECT_TRUE(listed["entries"][0]["eol"].is_null());
}

TEST_F(KernelBuildsTest, ListSaysWhenItCannotMark) {
  ASSERT_EQ(Kernel({"build", "6.11"}).code, 0);
  mirror_->Change(Mirror::kIndex,
                  [](HttpReply& reply, int) { reply = {.status = 503}; });
  Finished run = Kernel({"list"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, Not(HasSubstr("EOL")));
  EXPECT_THAT(run.err, AllOf(HasSubstr("no kernel is marked EOL"),
                             HasSubstr("answers 503")));
}

TEST_F(KernelBuildsTest, ListPreviewsARange) {
  Finished run = Kernel({"list", "--range", "6.12..6.16"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "6.12.58\n6.16.12\n");
  run = Kernel({"list", "--range", "6.12..6.16", "--json"});
  EXPECT_EQ(nlohmann::json::parse(run.out),
            nlohmann::json({"6.12.58", "6.16.12"}));
  run = Kernel({"list", "--range", "6.12"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("A..B is accepted"));
  EXPECT_THAT(UsableKernels(), IsEmpty());
}

// A build that is killed in one of its stages.
class KilledBuildTest : public KernelBuildsTest,
                        public testing::WithParamInterface<const char*> {
 protected:
  bool Is(absl::string_view stage) const { return GetParam() == stage; }

  // Makes the stage last, and returns once the build is in it.
  void Hold(Running& build) {
    if (is_served_) {
      mirror_->server().AwaitRequest(path_);
      // Half of the tarball lies there.
      if (Is("download")) {
        ASSERT_OK(build.AwaitText(" MiB"));
      }
    } else if (Is("store")) {
      ASSERT_OK(build.AwaitText("storing"));
    } else {
      ASSERT_OK(build.AwaitText(Is("unpack")      ? "unpacking"
                                : Is("configure") ? "configuring"
                                                  : "compiling"));
      ASSERT_OK(ReadFile(ready_, 16));
    }
  }

  void Arrange() {
    path_ = Is("index")       ? Mirror::kIndex
            : Is("checksums") ? Mirror::kSums
                              : Mirror::TarballPath("6.12.58");
    is_served_ = Is("index") || Is("checksums") || Is("download");
    if (is_served_) {
      mirror_->Change(path_, [](HttpReply& reply, int count) {
        if (count > 0) return;
        reply.cut_after = reply.body.size() / 2;
        reply.hangs = true;
      });
      return;
    }
    ready_ = Fifo("ready");
    const std::string stay =
        absl::StrCat("echo >", ready_, "; exec sleep 1000");
    if (Is("unpack")) tools_->Program("tar", "#!/bin/sh\n" + stay + "\n");
    if (Is("configure")) {
      tools_->Behave(absl::StrCat("during_config='eval ", stay, "'"));
    }
    if (Is("make")) {
      tools_->Behave(absl::StrCat("during_compile='eval ", stay, "'"));
    }
  }

  void Mend() {
    if (Is("unpack")) tools_->RemoveProgram("tar");
    tools_->Behave("");
  }

  std::string path_;
  bool is_served_ = false;
  std::string ready_;
};

TEST_P(KilledBuildTest, LeavesAValidCacheAndTheNextBuildSucceeds) {
  Arrange();
  {
    Running build = StartBuild("6.12");
    Hold(build);
    ASSERT_OK(build.process.Kill(SIGKILL));
    ASSERT_OK_AND_ASSIGN(ExitStatus exit, build.process.Wait());
    // Storing takes less time than to kill, now and then.
    if (!Is("store")) {
      EXPECT_EQ(exit.signal, SIGKILL) << build.output;
    }
  }
  EXPECT_THAT(UsableKernels(), SizeIs(testing::Le(Is("store") ? 1u : 0u)));

  Mend();
  Finished run = Kernel({"build", "6.12"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(UsableKernels(), ElementsAre(StartsWith("6.12.58-tarball-")));
  // Neither work directories nor downloads.
  EXPECT_THAT(CacheContent(), ElementsAre(".downloads", ".images", ".locks",
                                          StartsWith("6.12.58-tarball-")));
  if (Is("download")) {
    EXPECT_THAT(mirror_->server().requests().back().headers["range"],
                StartsWith("bytes="));
  }
}

INSTANTIATE_TEST_SUITE_P(Stages, KilledBuildTest,
                         testing::Values("index", "checksums", "download",
                                         "unpack", "configure", "make",
                                         "store"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

}  // namespace
}  // namespace ktstr::ktstrctl
