// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/modules.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "kernel/testing/tiny_kernel.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kElf[] =
    "\x7f"
    "ELF of ";
constexpr char kBothModules[] =
    "CONFIG_VIRTIO_MMIO=m\nCONFIG_VIRTIO_VSOCKETS=m";
// As depmod writes it: what a module needs, the deepest last.
constexpr char kIndex[] =
    "kernel/drivers/virtio/virtio_mmio.ko:\n"
    "kernel/net/vmw_vsock/vsock.ko.xz:\n"
    "kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko.xz: "
    "kernel/net/vmw_vsock/vmw_vsock_virtio-transport_common.ko.zst "
    "kernel/net/vmw_vsock/vsock.ko.xz\n"
    "kernel/net/vmw_vsock/vmw_vsock_virtio-transport_common.ko.zst: "
    "kernel/net/vmw_vsock/vsock.ko.xz\n";

class ModulesTest : public testing::Test {
 protected:
  ModulesTest()
      : dir_(*TempDir::Create("modules")),
        cache_(*KernelCache::Open(Path("cache"))) {
    options_.filesystem_root = Path("root");
    kernel_.origin = Path("package/boot/vmlinuz-6.12.1+deb12");
    kernel_.version = "6.12.1+deb12";
  }

  std::string Path(absl::string_view name) const {
    return JoinPath(dir_.path(), name);
  }
  void Write(absl::string_view name, absl::string_view bytes) {
    std::string path = Path(name);
    EXPECT_OK(MakeDirs(std::string(Dirname(path))));
    EXPECT_OK(WriteFileAtomically(path, bytes));
  }
  void Configure(absl::string_view text) {
    kernel_.config = *kconfig::Kconfig::Parse(text);
  }
  // The four modules and their index.
  void Install(const std::string& dir) {
    const std::string vsock = dir + "/kernel/net/vmw_vsock/";
    Write(dir + "/modules.dep", kIndex);
    Write(dir + "/kernel/drivers/virtio/virtio_mmio.ko",
          absl::StrCat(kElf, "virtio_mmio"));
    Write(vsock + "vsock.ko.xz",
          Pack(absl::StrCat(kElf, "vsock"), Packing::kXz));
    Write(vsock + "vmw_vsock_virtio-transport_common.ko.zst",
          Pack(absl::StrCat(kElf, "common"), Packing::kZstd));
    Write(vsock + "vmw_vsock_virtio_transport.ko.xz",
          Pack(absl::StrCat(kElf, "transport"), Packing::kXz));
  }

  absl::StatusOr<std::vector<KernelModule>> Find() {
    return FindDeviceModules(kernel_, cache_, options_);
  }
  static std::vector<std::string> Names(
      const std::vector<KernelModule>& modules) {
    std::vector<std::string> names;
    for (const KernelModule& module : modules) names.push_back(module.name);
    return names;
  }

  TempDir dir_;
  KernelCache cache_;
  ResolveOptions options_;
  ResolvedKernel kernel_;
};

TEST_F(ModulesTest, ThoseOfAnUnpackedPackageInLoadingOrder) {
  Install("package/lib/modules/6.12.1+deb12");
  Configure(kBothModules);
  ASSERT_OK_AND_ASSIGN(std::vector<KernelModule> modules, Find());
  EXPECT_THAT(Names(modules), ElementsAre("virtio_mmio", "vsock",
                                          "vmw_vsock_virtio_transport_common",
                                          "vmw_vsock_virtio_transport"));
  std::vector<std::string> contents;
  for (const KernelModule& module : modules) {
    contents.push_back(*ReadFile(module.path));
  }
  EXPECT_THAT(contents, ElementsAre(absl::StrCat(kElf, "virtio_mmio"),
                                    absl::StrCat(kElf, "vsock"),
                                    absl::StrCat(kElf, "common"),
                                    absl::StrCat(kElf, "transport")));
}

TEST_F(ModulesTest, OnlyWhatTheConfigurationSaysIsAModule) {
  Install("package/lib/modules/6.12.1+deb12");
  Configure("CONFIG_VIRTIO_MMIO=m\nCONFIG_VIRTIO_VSOCKETS=y");
  ASSERT_OK_AND_ASSIGN(std::vector<KernelModule> modules, Find());
  EXPECT_THAT(Names(modules), ElementsAre("virtio_mmio"));
  Configure("CONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_VSOCKETS=y");
  EXPECT_THAT(Find(), absl_testing::IsOkAndHolds(IsEmpty()));
}

TEST_F(ModulesTest, ThoseOfTheInstalledKernel) {
  Install("root/usr/lib/modules/6.12.1+deb12");
  Configure(kBothModules);
  ASSERT_OK_AND_ASSIGN(std::vector<KernelModule> modules, Find());
  EXPECT_EQ(modules.size(), 4u);
}

TEST_F(ModulesTest, ThoseAroundAnImageAmongThem) {
  Install("elsewhere/6.12.1+deb12");
  kernel_.origin = Path("elsewhere/6.12.1+deb12/vmlinuz");
  Configure(kBothModules);
  ASSERT_OK_AND_ASSIGN(std::vector<KernelModule> modules, Find());
  EXPECT_EQ(modules.size(), 4u);
}

TEST_F(ModulesTest, WithoutConfigurationTheIndexDecides) {
  EXPECT_THAT(Find(), absl_testing::IsOkAndHolds(IsEmpty()));
  Install("package/lib/modules/6.12.1+deb12");
  ASSERT_OK_AND_ASSIGN(std::vector<KernelModule> modules, Find());
  EXPECT_EQ(modules.size(), 4u);
}

TEST_F(ModulesTest, MissingOnesAreRefusedWithWhatMakesThemThere) {
  Configure(kBothModules);
  EXPECT_THAT(
      Find(),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("CONFIG_VIRTIO_MMIO as a module"),
                     HasSubstr(Path("package/lib/modules/6.12.1+deb12")),
                     HasSubstr("depmod -b"))));
  Write("package/lib/modules/6.12.1+deb12/modules.dep",
        "kernel/drivers/virtio/virtio_mmio.ko:\n");
  Write("package/lib/modules/6.12.1+deb12/kernel/drivers/virtio/virtio_mmio.ko",
        kElf);
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("vmw_vsock_virtio_transport is in")));
}

TEST_F(ModulesTest, DamagedOnesAreNamed) {
  Install("package/lib/modules/6.12.1+deb12");
  Configure(kBothModules);
  const std::string vsock =
      "package/lib/modules/6.12.1+deb12/kernel/net/vmw_vsock/vsock.ko.xz";
  Write(vsock, Pack(absl::StrCat(kElf, "vsock"), Packing::kXz).substr(0, 30));
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("vsock.ko.xz")));
  Write(vsock, Pack("text", Packing::kXz));
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("no ELF file inside")));
}

TEST_F(ModulesTest, PathsThatLeaveTheDirectoryAreNotFollowed) {
  Configure("CONFIG_VIRTIO_MMIO=m");
  Write("package/lib/modules/virtio_mmio.ko", kElf);
  Write("package/lib/modules/6.12.1+deb12/modules.dep",
        "../virtio_mmio.ko:\n/virtio_mmio.ko:\na//virtio_mmio.ko:\n:\n");
  EXPECT_THAT(Find(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace ktstr::kernel
