// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Builds from a kernel.org of the test's own, over real HTTPS.
#include "kernel/kernel_org.h"

#include <stdlib.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kernel/build.h"
#include "kernel/testing/mirror.h"
#include "kernel/testing/stand_in_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class KernelOrgTest : public testing::Test {
 protected:
  KernelOrgTest()
      : dir_(*TempDir::Create("kernel-org")),
        cache_(*KernelCache::Open(Path("kernels"))),
        tools_(dir_.path()),
        mirror_(Path("mirror")),
        old_path_(getenv("PATH")) {
    setenv("PATH", tools_.path().c_str(), 1);
    setenv("SSL_CERT_FILE", mirror_.ca_file().c_str(), 1);
    setenv("XDG_CONFIG_HOME", dir_.path().c_str(), 1);
    unsetenv("https_proxy");
    unsetenv("CURL_CA_BUNDLE");
    options_ = {
        .jobs = 1,
        .on_note = [this](const std::string& note) { notes_.push_back(note); },
        .source_dir = dir_.path(),
        .fetch_program = "kernel/ktstr_fetch",
        .kernel_org = mirror_.url()};
    mirror_.Add("6.18-rc6", "mainline");
    mirror_.Add("6.17.3");
    mirror_.Add("6.16.12");
    mirror_.Add("6.12.57", "");
    mirror_.Add("6.12.58", "longterm");
    mirror_.Add("6.11.11", "");
  }
  ~KernelOrgTest() override { setenv("PATH", old_path_.c_str(), 1); }

  std::string Path(absl::string_view name) const {
    return JoinPath(dir_.path(), name);
  }
  absl::StatusOr<BuildResult> Build(const std::string& spec) {
    options_.spec = spec;
    return BuildKernel(cache_, options_);
  }
  // What lies in the cache: entries, and what is on its way.
  std::vector<std::string> Entries() const {
    std::vector<std::string> keys;
    const std::vector<ListedKernel> all = *cache_.List();
    for (const ListedKernel& kernel : all) {
      keys.push_back(kernel.entry.key);
    }
    return keys;
  }
  std::vector<std::string> Downloads() const {
    auto names = ListDir(cache_.DownloadPath(""));
    return names.ok() ? *names : std::vector<std::string>();
  }
  std::vector<std::string> WorkDirs() const {
    std::vector<std::string> work = *ListDir(cache_.root());
    std::erase_if(
        work, [](const std::string& name) { return name.find(".work-") != 0; });
    return work;
  }
  void ExpectNothingLeft() {
    EXPECT_THAT(Entries(), IsEmpty());
    EXPECT_THAT(Downloads(), IsEmpty());
    EXPECT_THAT(WorkDirs(), IsEmpty());
    EXPECT_EQ(tools_.compilations(), 0);
  }

  TempDir dir_;
  KernelCache cache_;
  StandInTools tools_;
  Mirror mirror_;
  std::string old_path_;
  BuildOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(KernelOrgTest, ASeriesIsBuiltFromItsNewestTarball) {
  ASSERT_OK_AND_ASSIGN(BuildResult first, Build("6.12"));
  EXPECT_FALSE(first.was_cached);
  EXPECT_THAT(first.entry.key, StartsWith("6.12.58-tarball-x86_64-kc"));
  EXPECT_EQ(first.entry.metadata.source, "tarball");
  EXPECT_THAT(first.entry.metadata.source_package,
              AllOf(StartsWith("linux-6.12.58 " + mirror_.url() + ", sha256 "),
                    HasSubstr(", unsigned")));
  EXPECT_THAT(
      notes_,
      ElementsAre(HasSubstr("nobody's signature vouches for linux-6.12.58")));
  EXPECT_THAT(Downloads(), IsEmpty());
  ASSERT_OK_AND_ASSIGN(BuildResult second, Build("6.12"));
  EXPECT_TRUE(second.was_cached);
  EXPECT_EQ(second.entry.key, first.entry.key);
  EXPECT_EQ(mirror_.Requests(Mirror::TarballPath("6.12.58")), 1);
  EXPECT_EQ(tools_.compilations(), 1);
}

TEST_F(KernelOrgTest, WithoutASpecTheNewestMaturedReleaseIsTaken) {
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build(" "));
  EXPECT_THAT(result.entry.key, StartsWith("6.16.12-tarball-"));
}

TEST_F(KernelOrgTest, AMajorNumberIsItsNewestOfAllWithCandidates) {
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build("6"));
  EXPECT_THAT(result.entry.key, StartsWith("6.18-rc6-tarball-"));
  EXPECT_THAT(notes_, Contains(HasSubstr("no checksum is published")));
}

TEST_F(KernelOrgTest, ACachedVersionNeedsNoNetwork) {
  ASSERT_THAT(Build("6.12.57"), IsOk());
  mirror_.Close();
  ASSERT_OK_AND_ASSIGN(BuildResult again, Build("6.12.57"));
  EXPECT_TRUE(again.was_cached);
}

TEST_F(KernelOrgTest, ASeriesThatIsNotListedIsFoundAmongTheTarballs) {
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build("6.11"));
  EXPECT_THAT(result.entry.key, StartsWith("6.11.11-tarball-"));
}

TEST_F(KernelOrgTest, AMissingVersionNamesTheNewestOfItsSeries) {
  EXPECT_THAT(Build("6.12.99"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("kernel 6.12.99 is not on "),
                             HasSubstr("the newest of 6.12 is 6.12.58"))));
  EXPECT_THAT(Build("6.18-rc7"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("the newest of 6.18 is 6.18-rc6"),
                             HasSubstr("answers 404"))));
  EXPECT_THAT(Build("7.1"), StatusIs(absl::StatusCode::kNotFound,
                                     HasSubstr("the newest of all is")));
  EXPECT_THAT(Build("7.1.2"), StatusIs(absl::StatusCode::kNotFound));
  ExpectNothingLeft();
}

TEST_F(KernelOrgTest, DamagedBytesAreRefused) {
  mirror_.Change(Mirror::TarballPath("6.12.58"), [](HttpReply& reply, int) {
    reply.body[reply.body.size() / 2] ^= 1;
  });
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kDataLoss,
                                      HasSubstr("damaged on its way or not")));
  ExpectNothingLeft();
}

TEST_F(KernelOrgTest, AShortenedFileIsRefused) {
  mirror_.Change(Mirror::TarballPath("6.12.58"), [](HttpReply& reply, int) {
    reply.body.resize(reply.body.size() / 2);
  });
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kDataLoss));
  ExpectNothingLeft();
}

TEST_F(KernelOrgTest, ABrokenDownloadGoesOnWhereItBroke) {
  const std::string path = Mirror::TarballPath("6.12.58");
  mirror_.Change(path, [](HttpReply& reply, int count) {
    if (count == 0) reply.cut_after = 100;
  });
  ASSERT_THAT(Build("6.12"), IsOk());
  std::vector<std::string> ranges;
  for (const HttpRequest& request : mirror_.server().requests()) {
    if (request.path != path) continue;
    auto it = request.headers.find("range");
    ranges.push_back(it == request.headers.end() ? "all" : it->second);
  }
  EXPECT_THAT(ranges, ElementsAre("all", "bytes=100-"));
}

TEST_F(KernelOrgTest, TheNextBuildGoesOnWhereThisOneGaveUp) {
  const std::string path = Mirror::TarballPath("6.12.58");
  mirror_.Change(path, [](HttpReply& reply, int count) {
    if (count < 2) reply.cut_after = count == 0 ? 100 : 0;
  });
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kUnavailable,
                                      HasSubstr("100 bytes of")));
  EXPECT_THAT(Entries(), IsEmpty());
  EXPECT_THAT(Downloads(), ElementsAre("linux-6.12.58.tar.xz.part",
                                       "linux-6.12.58.tar.xz.part.of"));
  ASSERT_THAT(Build("6.12"), IsOk());
  EXPECT_EQ(mirror_.server().requests().back().headers.at("range"),
            "bytes=100-");
  EXPECT_THAT(Downloads(), IsEmpty());
}

TEST_F(KernelOrgTest, WebPagesAreRefused) {
  const std::string tarball = Mirror::TarballPath("6.12.58");
  for (const std::string& path :
       {std::string(Mirror::kIndex), std::string(Mirror::kSums), tarball}) {
    mirror_.Change(path, [](HttpReply& reply, int) {
      reply = {.content_type = "text/html", .body = "<html>log in"};
    });
    EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kDataLoss,
                                        HasSubstr("a web page came instead")));
    ExpectNothingLeft();
    mirror_.Change(path, [](HttpReply&, int) {});
  }
}

TEST_F(KernelOrgTest, AnIndexThatIsNoneIsRefused) {
  mirror_.Change(Mirror::kIndex,
                 [](HttpReply& reply, int) { reply.body = "{\"a\":"; });
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("the index of releases")));
  ExpectNothingLeft();
}

TEST_F(KernelOrgTest, AnInstalledPackageHelpsOutWithANote) {
  PackStandInTree(Path("linux-source-6.12.tar.xz"), "linux-source-6.12",
                  "6.12.117");
  mirror_.Close();
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build("6.12"));
  EXPECT_THAT(result.entry.metadata.source_package,
              StartsWith("linux-source-6.12 "));
  EXPECT_THAT(notes_,
              ElementsAre(AllOf(HasSubstr(" cannot be reached ("),
                                HasSubstr("kernel 6.12 is taken from the "
                                          "installed linux-source-6.12"))));
  options_.spec = "deb:linux-source-6.12";
  ASSERT_OK_AND_ASSIGN(BuildResult same, BuildKernel(cache_, options_));
  EXPECT_TRUE(same.was_cached);
  EXPECT_EQ(same.entry.key, result.entry.key);
}

TEST_F(KernelOrgTest, NothingElseTakesThePlaceOfAVersion) {
  PackStandInTree(Path("linux-source-6.12.tar.xz"), "linux-source-6.12",
                  "6.12.117");
  mirror_.Close();
  EXPECT_THAT(Build("6.12.5"), StatusIs(absl::StatusCode::kUnavailable,
                                        HasSubstr("cannot be reached")));
  EXPECT_THAT(Build("6.13"),
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("cannot be reached"),
                             HasSubstr("linux-source-6.13 is not installed"))));
  EXPECT_THAT(Build(""), StatusIs(absl::StatusCode::kUnavailable,
                                  HasSubstr("name an installed package")));
  ExpectNothingLeft();
}

TEST_F(KernelOrgTest, ADistrustedServerIsNotNoNetwork) {
  PackStandInTree(Path("linux-source-6.12.tar.xz"), "linux-source-6.12",
                  "6.12.117");
  setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt", 1);
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kPermissionDenied));
  ExpectNothingLeft();
}

TEST_F(KernelOrgTest, ASignatureIsCheckedWhereThereIsAKeyring) {
  ASSERT_OK_AND_ASSIGN(Signer signer, Signer::Create());
  ASSERT_OK_AND_ASSIGN(Signer stranger, Signer::Create());
  ASSERT_OK(MakeDirs(Path("ktstr")));
  ASSERT_OK_AND_ASSIGN(std::string keys, ReadFile(signer.keyring()));
  ASSERT_OK(WriteFileAtomically(Path("ktstr/kernel.org.gpg"), keys));
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kPermissionDenied,
                                      HasSubstr("its signature")));
  mirror_.SignWith(&stranger);
  EXPECT_THAT(Build("6.12"), StatusIs(absl::StatusCode::kPermissionDenied));
  ExpectNothingLeft();
  mirror_.SignWith(&signer);
  ASSERT_OK_AND_ASSIGN(BuildResult result, Build("6.12"));
  EXPECT_THAT(result.entry.metadata.source_package, HasSubstr(", signed"));
  EXPECT_THAT(notes_, IsEmpty());
}

// A tarball with a member that would land outside.
class HostileTarballTest : public KernelOrgTest {
 protected:
  void Serve(const std::vector<std::string>& tar_args) {
    ASSERT_OK(MakeDirs(Path("evil/linux-6.19-rc1")));
    ASSERT_OK(WriteFileAtomically(Path("evil/linux-6.19-rc1/Makefile"), "x"));
    const std::string file = Path("evil.tar.gz");
    std::vector<std::string> argv = {"tar",       "--create", "--gzip",
                                     "--file",    file,       "--directory",
                                     Path("evil")};
    argv.insert(argv.end(), tar_args.begin(), tar_args.end());
    RunOrDie(argv);
    ASSERT_OK_AND_ASSIGN(bytes_, ReadFile(file));
    mirror_.Change(
        Mirror::TarballPath("6.19-rc1"),
        [bytes = bytes_](HttpReply& reply, int) { reply = {.body = bytes}; });
  }
  std::string bytes_;
};

TEST_F(HostileTarballTest, NoMemberLeavesTheDirectory) {
  // "linux-6.19-rc1/Makefile" becomes "linux-6.19-rc1/../../../escaped".
  Serve({"--absolute-names",
         "--transform=s,linux-6.19-rc1/Makefile,linux-6.19-rc1/../../../"
         "escaped,",
         "linux-6.19-rc1/Makefile"});
  EXPECT_THAT(Build("6.19-rc1"), StatusIs(absl::StatusCode::kInternal,
                                          HasSubstr("unpacking linux-6.19")));
  EXPECT_THAT(RunOrDie({"find", dir_.path(), "-name", "escaped"}), "");
  EXPECT_THAT(Entries(), IsEmpty());
}

TEST_F(HostileTarballTest, NoLinkLeadsOutOfTheDirectory) {
  ASSERT_OK(MakeDirs(Path("outside")));
  RunOrDie({"ln", "-s", Path("outside"), Path("evil-link")});
  ASSERT_OK(MakeDirs(Path("evil/linux-6.19-rc1")));
  RunOrDie({"ln", "-s", Path("outside"), Path("evil/linux-6.19-rc1/link")});
  ASSERT_OK(WriteFileAtomically(Path("evil/linux-6.19-rc1/escaped"), "x"));
  // The link, then a file through it.
  Serve({"--transform=s,linux-6.19-rc1/escaped,linux-6.19-rc1/link/escaped,",
         "linux-6.19-rc1/link", "linux-6.19-rc1/escaped"});
  EXPECT_THAT(Build("6.19-rc1"), Not(IsOk()));
  EXPECT_THAT(*ListDir(Path("outside")), IsEmpty());
  EXPECT_THAT(Entries(), IsEmpty());
}

TEST_F(KernelOrgTest, OldDownloadsAreSwept) {
  const std::string part = cache_.DownloadPath("linux-6.1.tar.xz.part");
  ASSERT_OK(MakeDirs(cache_.DownloadPath("")));
  ASSERT_OK(WriteFileAtomically(part, "x"));
  ASSERT_OK(cache_.Sweep().status());
  EXPECT_THAT(Downloads(), ElementsAre("linux-6.1.tar.xz.part"));
  RunOrDie({"touch", "--date=8 days ago", part});
  {
    ASSERT_OK_AND_ASSIGN(KeyLock lock,
                         cache_.TryLock(DownloadLock("linux-6.1.tar.xz")));
    ASSERT_OK(cache_.Sweep().status());
    EXPECT_THAT(Downloads(), ElementsAre("linux-6.1.tar.xz.part"));
  }
  ASSERT_OK(cache_.Sweep().status());
  EXPECT_THAT(Downloads(), IsEmpty());
}

}  // namespace
}  // namespace ktstr::kernel
