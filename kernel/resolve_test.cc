// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/resolve.h"

#include <unistd.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kconfig/fragments.h"
#include "kernel/testing/tiny_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ResolveTest : public testing::Test {
 protected:
  ResolveTest()
      : dir_(*TempDir::Create("resolve")),
        cache_(*KernelCache::Open(Path("cache"))) {
    options_.getenv = [this](const char* name) { return environment_[name]; };
    options_.working_dir = Path("work");
    options_.filesystem_root = Path("root");
    options_.running_release = "6.1.0-9";
    EXPECT_OK(MakeDirs(options_.working_dir));
  }

  std::string Path(absl::string_view name) const {
    return JoinPath(dir_.path(), name);
  }

  std::string Write(absl::string_view name, absl::string_view bytes) {
    std::string path = Path(name);
    EXPECT_OK(MakeDirs(std::string(Dirname(path))));
    EXPECT_OK(WriteFileAtomically(path, bytes));
    return path;
  }

  void Store(const std::string& key, const std::string& version,
             int64_t built_at, std::string fragments_hash = "",
             std::string extra_fragment = "",
             const std::string& source_package = "") {
    auto work = cache_.MakeWorkDir(key);
    ASSERT_OK(work.status());
    std::string staged = JoinPath(work->path(), "entry");
    ASSERT_OK(MakeDirs(JoinPath(staged, "schedulers")));
    ASSERT_OK(WriteFileAtomically(JoinPath(staged, "vmlinux"),
                                  MakeTinyVmlinux({.release = version})));
    ASSERT_OK(WriteFileAtomically(JoinPath(staged, "config"),
                                  "CONFIG_SCHED_CLASS_EXT=y\n"));
    ASSERT_OK(WriteFileAtomically(JoinPath(staged, "schedulers/scx_simple"),
                                  "program", 0755));
    if (fragments_hash.empty()) {
      fragments_hash = kconfig::FragmentsHash(kconfig::EmbeddedFragments());
    }
    ASSERT_OK(cache_
                  .Store(key, staged,
                         {.version = version,
                          .source_package = source_package,
                          .fragments_hash = fragments_hash,
                          .extra_fragment = extra_fragment,
                          .built_at = absl::FromUnixSeconds(built_at)})
                  .status());
  }

  absl::StatusOr<ResolvedKernel> Resolve(absl::string_view spec) {
    return ResolveKernel(spec, cache_, options_);
  }

  TempDir dir_;
  KernelCache cache_;
  std::map<std::string, std::string> environment_;
  ResolveOptions options_;
};

TEST_F(ResolveTest, KernelsOfOneReleaseDifferByTheirFragments) {
  Store("6.12.117-tarball-x86_64-kc1", "6.12.117", 100);
  Store("6.12.117-tarball-x86_64-kc1-fast-2", "6.12.117", 200, "", "fast");
  ASSERT_OK_AND_ASSIGN(
      std::vector<ResolvedKernel> both,
      ResolveKernels({"6.12", "6.12.117-tarball-x86_64-kc1-fast-2"}, cache_,
                     options_));
  EXPECT_EQ(both[0].label, "kernel_6_12_117");
  EXPECT_EQ(both[1].label, "kernel_6_12_117_fast");
  ASSERT_OK_AND_ASSIGN(ResolvedKernel discovered, Resolve(""));
  EXPECT_EQ(discovered.label, "kernel_6_12_117");
}

TEST_F(ResolveTest, TakesABareVmlinuxWhereItLies) {
  std::string path = Write("work/vmlinux", MakeTinyVmlinux());
  for (const std::string& spec : {path, std::string("./vmlinux")}) {
    ASSERT_OK_AND_ASSIGN(ResolvedKernel kernel, Resolve(spec));
    EXPECT_EQ(kernel.vmlinux_path, path);
    EXPECT_EQ(kernel.version, "6.12.117");
    EXPECT_THAT(kernel.label, StartsWith("kernel_path_vmlinux_"));
    ASSERT_TRUE(kernel.config.has_value());
    EXPECT_TRUE(kernel.config->IsBuiltIn("SMP"));
  }
}

TEST_F(ResolveTest, UnpacksABzImageIntoTheCache) {
  std::string path =
      Write("vmlinuz",
            MakeBzImage(Pack(MakeTinyVmlinux({.config = ""}), Packing::kXz)));
  ASSERT_OK_AND_ASSIGN(ResolvedKernel kernel, Resolve(path));
  EXPECT_THAT(kernel.vmlinux_path, StartsWith(cache_.root()));
  EXPECT_EQ(kernel.origin, path);
  EXPECT_EQ(kernel.version, "6.12.117");
  EXPECT_FALSE(kernel.config.has_value());
  EXPECT_THAT(ReadFile(kernel.vmlinux_path), IsOkAndHolds(HasSubstr("ELF")));
}

TEST_F(ResolveTest, FindsTheConfigurationBesideAnImage) {
  const std::string image =
      MakeBzImage(Pack(MakeTinyVmlinux({.config = ""}), Packing::kXz));
  const std::pair<const char*, const char*> places[] = {
      {"boot/vmlinuz-6.12.117", "boot/config-6.12.117"},
      {"lib/modules/6.12.117/vmlinuz", "lib/modules/6.12.117/config"},
      {"tree/arch/x86/boot/bzImage", "tree/.config"},
      {"other/vmlinux", "other/.config"}};
  for (const auto& [image_name, config_name] : places) {
    const std::string path = Write(image_name, image);
    EXPECT_FALSE(Resolve(path)->config.has_value()) << image_name;
    Write(config_name, "CONFIG_VSOCKETS=m\n");
    ASSERT_OK_AND_ASSIGN(ResolvedKernel kernel, Resolve(path));
    ASSERT_TRUE(kernel.config.has_value()) << image_name;
    EXPECT_EQ(kernel.config->Get("VSOCKETS"), "m");
  }
}

TEST_F(ResolveTest, ABrokenConfigurationBesideAnImageIsNamed) {
  const std::string path =
      Write("boot/vmlinuz-6.12.117",
            MakeBzImage(Pack(MakeTinyVmlinux({.config = ""}), Packing::kXz)));
  Write("boot/config-6.12.117", "CONFIG_A=y\nnonsense\n");
  EXPECT_THAT(Resolve(path).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("config-6.12.117")));
}

TEST_F(ResolveTest, StripsAVmlinuxWithDebugInformation) {
  std::string path =
      Write("vmlinux", MakeTinyVmlinux({.debug_bytes = 1u << 20}));
  ASSERT_OK_AND_ASSIGN(ResolvedKernel kernel, Resolve(path));
  ASSERT_OK_AND_ASSIGN(std::string bytes, ReadFile(kernel.vmlinux_path));
  EXPECT_LT(bytes.size(), 8192u);
}

TEST_F(ResolveTest, PrefersVmlinuxInATree) {
  Write("tree/arch/x86/boot/bzImage",
        MakeBzImage(Pack(MakeTinyVmlinux({.release = "1.1"}), Packing::kGzip)));
  ASSERT_OK_AND_ASSIGN(ResolvedKernel kernel, Resolve(Path("tree")));
  EXPECT_EQ(kernel.version, "1.1");
  Write("tree/vmlinux", MakeTinyVmlinux({.release = "2.2"}));
  ASSERT_OK_AND_ASSIGN(kernel, Resolve(Path("tree")));
  EXPECT_EQ(kernel.version, "2.2");
}

TEST_F(ResolveTest, NamesWhatItLookedForInATree) {
  EXPECT_THAT(
      Resolve(Path("work")),
      StatusIs(absl::StatusCode::kNotFound,
               HasSubstr(absl::StrCat("kernel path ", Path("work"),
                                      " has no image: looked for vmlinux, "
                                      "arch/x86/boot/bzImage, bzImage"))));
  EXPECT_THAT(Resolve("./nowhere"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("./nowhere does not exist")));
}

TEST_F(ResolveTest, RefusesAFileThatIsNoKernel) {
  std::string path = Write("notes", "not a kernel\n");
  EXPECT_THAT(Resolve(path),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(path), HasSubstr("but text"))));
}

TEST_F(ResolveTest, FindsCachedKernelsByVersionSeriesKeyAndPath) {
  Store("6.12.117-tarball-x86_64-kc1", "6.12.117", 5);
  for (const std::string& spec : {std::string("6.12.117"), std::string("6.12"),
                                  std::string("6.12.117-tarball-x86_64-kc1"),
                                  Path("cache/6.12.117-tarball-x86_64-kc1")}) {
    ASSERT_OK_AND_ASSIGN(ResolvedKernel kernel, Resolve(spec));
    EXPECT_EQ(kernel.label, "kernel_6_12_117");
    EXPECT_TRUE(kernel.config->IsBuiltIn("SCHED_CLASS_EXT"));
    EXPECT_THAT(FindScheduler(kernel, "scx_simple"),
                IsOkAndHolds(EndsWith("/schedulers/scx_simple")));
    EXPECT_THAT(
        FindScheduler(kernel, "scx_other"),
        StatusIs(absl::StatusCode::kNotFound, HasSubstr("it has scx_simple")));
  }
  EXPECT_THAT(Resolve("6.13"), StatusIs(absl::StatusCode::kNotFound,
                                        HasSubstr("kernel build 6.13")));
}

TEST_F(ResolveTest, SendsWhatStandsForSeveralToBuild) {
  EXPECT_THAT(Resolve("git+x#y"), StatusIs(absl::StatusCode::kUnimplemented,
                                           HasSubstr("prints a key")));
  EXPECT_THAT(Resolve("6.12..6.14"), StatusIs(absl::StatusCode::kUnimplemented,
                                              HasSubstr("is several kernels")));
}

TEST_F(ResolveTest, APackageIsWhatWasBuiltFromIt) {
  Store("6.12.200-tarball-a", "6.12.200", 5, "", "",
        "linux-6.12.200 kernel.org");
  EXPECT_THAT(Resolve("deb:linux-source-6.12"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("`ktstrctl kernel build "
                                 "deb:linux-source-6.12` builds it")));
  Store("6.12.117-tarball-b", "6.12.117", 6, "", "",
        "linux-source-6.12 6.12.117-1");
  EXPECT_EQ(Resolve("deb:linux-source-6.12")->version, "6.12.117");
  EXPECT_EQ(Resolve("6.12")->version, "6.12.200");
}

TEST_F(ResolveTest, DiscoversInOrder) {
  EXPECT_THAT(Resolve(""), StatusIs(absl::StatusCode::kNotFound,
                                    HasSubstr("ktstrctl kernel build")));
  auto expect_version = [this](const char* version) {
    absl::StatusOr<ResolvedKernel> kernel = Resolve("  ");
    ASSERT_OK(kernel.status());
    EXPECT_EQ(kernel->version, version);
  };
  std::string packed =
      MakeBzImage(Pack(MakeTinyVmlinux({.release = "1.0"}), Packing::kGzip));
  Write("root/boot/vmlinuz-6.1.0-9", packed);
  expect_version("1.0");
  Write("root/lib/modules/6.1.0-9/build/vmlinux",
        MakeTinyVmlinux({.release = "2.0"}));
  expect_version("2.0");
  Write("linux/vmlinux", MakeTinyVmlinux({.release = "3.0"}));
  expect_version("3.0");
  Write("work/linux/vmlinux", MakeTinyVmlinux({.release = "4.0"}));
  expect_version("4.0");
  Store("stale", "5.0", 9, "00000000");
  expect_version("4.0");
  Store("good", "6.0", 1);
  expect_version("6.0");
  environment_["KTSTR_KERNEL"] = " 5.0 ";
  expect_version("5.0");
  environment_["KTSTR_TEST_KERNEL"] =
      Write("chosen", MakeTinyVmlinux({.release = "7.0"}));
  expect_version("7.0");
}

TEST_F(ResolveTest, NeverReplacesAVariableThatMisses) {
  Store("good", "6.0", 1);
  environment_["KTSTR_KERNEL"] = "6.5";
  EXPECT_THAT(Resolve(""), StatusIs(absl::StatusCode::kNotFound,
                                    StartsWith("KTSTR_KERNEL: ")));
  environment_["KTSTR_KERNEL"] = "   ";
  EXPECT_OK(Resolve("").status());
}

TEST_F(ResolveTest, RefusesTwoSpecsWithOneLabel) {
  Store("6.12.117-tarball-a", "6.12.117", 5);
  ASSERT_OK_AND_ASSIGN(std::vector<ResolvedKernel> one,
                       ResolveKernels({"6.12"}, cache_, options_));
  EXPECT_EQ(one.size(), 1u);
  EXPECT_THAT(ResolveKernels({"6.12", "6.12.117"}, cache_, options_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("kernels 6.12 and 6.12.117 have the same "
                                 "label kernel_6_12_117")));
}

}  // namespace
}  // namespace ktstr::kernel
