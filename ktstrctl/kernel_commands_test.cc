// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// `ktstrctl kernel show|verify|config|clean` as a person runs them, on kernels
// of a few hundred bytes.
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "kernel/cache.h"
#include "kernel/testing/tiny_kernel.h"
#include "ktstrctl/testing/command_line.h"
#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class KernelCommandsTest : public CommandLineTest {
 protected:
  void SetUp() override {
    CommandLineTest::SetUp();
    cache_dir_ = JoinPath(dir_->path(), "kernel-cache");
  }

  Finished Kernel(std::vector<std::string> args) {
    args.insert(args.begin(), "kernel");
    return Run(args, {"KTSTR_CACHE_DIR=" + cache_dir_,
                      "KTSTR_KERNEL=", "KTSTR_TEST_KERNEL="});
  }

  // An image with this embedded configuration.
  std::string Image(const std::string& config) {
    std::string path = JoinPath(dir_->path(), "vmlinux");
    EXPECT_OK(
        WriteFileAtomically(path, kernel::MakeTinyVmlinux({.config = config})));
    return path;
  }

  void Store(const std::string& key, int built_at) {
    auto cache = kernel::KernelCache::Open(JoinPath(cache_dir_, "kernels"));
    ASSERT_OK(cache.status());
    auto work = cache->MakeWorkDir(key);
    ASSERT_OK(work.status());
    const std::string staged = JoinPath(work->path(), "entry");
    ASSERT_OK(MakeDirs(staged));
    ASSERT_OK(WriteFileAtomically(JoinPath(staged, "vmlinux"),
                                  kernel::MakeTinyVmlinux()));
    ASSERT_OK(
        WriteFileAtomically(JoinPath(staged, "config"), "CONFIG_SMP=y\n"));
    ASSERT_OK(cache
                  ->Store(key, staged,
                          {.version = "6.12.117",
                           .source = "tarball",
                           .source_package = "linux-source-6.12 6.12.117-1",
                           .built_at = absl::FromUnixSeconds(built_at)})
                  .status());
  }
  bool IsCached(const std::string& key) const {
    return FileExists(JoinPath(cache_dir_, "kernels/" + key));
  }

  std::string cache_dir_;
};

TEST_F(KernelCommandsTest, ShowSaysWhatAKernelIsGoodFor) {
  Finished run = Kernel({"show", Image("CONFIG_SMP=y\n")});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("version     6.12.117\n"),
                             HasSubstr("good for    -\n"),
                             HasSubstr("not for     boot, channel")));
}

TEST_F(KernelCommandsTest, ShowKnowsItsOwnEntries) {
  Store("6.12.117-tarball-x86_64-kc1", 1000);
  Finished run = Kernel({"show", "6.12", "--json"});
  ASSERT_EQ(run.code, 0) << run.err;
  auto shown = nlohmann::json::parse(run.out);
  EXPECT_EQ(shown["entry"]["key"], "6.12.117-tarball-x86_64-kc1");
  EXPECT_EQ(shown["entry"]["state"], "stale");
  EXPECT_THAT(shown["not_for"].get<std::vector<std::string>>(),
              Contains("sched_ext"));
}

TEST_F(KernelCommandsTest, VerifyNamesOptionsAndWhatIsLost) {
  const std::string image = Image(
      "CONFIG_SCHED_CLASS_EXT=y\nCONFIG_BPF=y\nCONFIG_BPF_JIT=y\n"
      "CONFIG_DEBUG_INFO_BTF=y\nCONFIG_EXT_GROUP_SCHED=y\n");
  Finished run = Kernel({"verify", image, "--for", "sched_ext"});
  EXPECT_EQ(run.code, 1) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("CONFIG_BPF_SYSCALL"),
                             HasSubstr("BPF programs cannot be loaded"),
                             Not(HasSubstr("CONFIG_BPF_JIT"))));
  run = Kernel({"verify", image, "--for", "sched_ext", "--json"});
  EXPECT_EQ(run.code, 1);
  auto verified = nlohmann::json::parse(run.out);
  EXPECT_EQ(verified["requirements"][0]["missing"][0]["option"],
            "CONFIG_BPF_SYSCALL");
  EXPECT_FALSE(verified["requirements"][0]["is_met"].get<bool>());
}

TEST_F(KernelCommandsTest, VerifyIsContentWithWhatIsThere) {
  Finished run = Kernel({"verify",
                         Image("CONFIG_NET=y\nCONFIG_VIRTIO_MMIO=m\n"
                               "CONFIG_VSOCKETS=m\n"
                               "CONFIG_VIRTIO_VSOCKETS=m\n"),
                         "--for", "channel"});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("all there"));
}

TEST_F(KernelCommandsTest, VerifyRefusesWhatItCannotJudge) {
  Finished run = Kernel({"verify", Image(""), "--for", "boot"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("does not say how it was configured"));
  run = Kernel({"verify", Image("CONFIG_SMP=y\n"), "--for", "sched-ext"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("known: boot, channel, topology"));
}

TEST_F(KernelCommandsTest, ConfigPrintsWhatKernelsAreBuiltFrom) {
  Finished run = Kernel({"config"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("## sched_ext"),
                             HasSubstr("CONFIG_SCHED_CLASS_EXT=y\n")));
  run = Kernel({"config", Image("CONFIG_B=m\n# CONFIG_A is not set\n")});
  EXPECT_EQ(run.out, "# CONFIG_A is not set\nCONFIG_B=m\n");
}

TEST_F(KernelCommandsTest, CleanAsksOrIsForced) {
  Store("old", 1000);
  Store("new", 2000);
  Finished run = Kernel({"clean", "--keep", "1"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("--force"));
  EXPECT_TRUE(IsCached("old"));
  run = Kernel({"clean", "--keep", "1", "--force"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, "removed kernel old\n");
  EXPECT_TRUE(IsCached("new"));
  run = Kernel({"clean", "--corrupt-only"});
  EXPECT_EQ(run.out, "nothing to remove; 1 kernel stays\n");
}

TEST_F(KernelCommandsTest, CleanLeavesWhatIsBeingBuilt) {
  Store("busy", 1000);
  auto cache = kernel::KernelCache::Open(JoinPath(cache_dir_, "kernels"));
  ASSERT_OK(cache.status());
  auto lock = cache->TryLock("busy");
  ASSERT_OK(lock.status());
  Finished run = Kernel({"clean", "--force"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_THAT(run.err, HasSubstr("kernel busy stays: "));
  EXPECT_TRUE(IsCached("busy"));
}

}  // namespace
}  // namespace ktstr::ktstrctl
