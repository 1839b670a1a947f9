// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/cmdline.h"

#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

TEST(CmdlineTest, FindsEpochAndNonceAmongOthers) {
  Cmdline cmdline = ParseCmdline(
      "console=ttyS0 ktstr.epoch=7 panic=-1 ktstr.nonce=00ff rdinit=/init\n");
  EXPECT_EQ(cmdline.epoch, 7);
  EXPECT_EQ(cmdline.nonce, "00ff");
}

TEST(CmdlineTest, LastOfARepeatedKeyCounts) {
  EXPECT_EQ(ParseCmdline("ktstr.epoch=1 ktstr.epoch=2").epoch, 2);
}

TEST(CmdlineTest, DamagedOrMissingValuesAreZeroAndEmpty) {
  EXPECT_EQ(ParseCmdline("ktstr.epoch=x ktstr.nonce").epoch, 0);
  EXPECT_EQ(ParseCmdline("xktstr.epoch=3").epoch, 0);
  EXPECT_EQ(ParseCmdline("").nonce, "");
}

TEST(CmdlineTest, ModuleParametersIgnoreDashAndOtherModules) {
  EXPECT_EQ(ModuleParameters(
                "virtio_mmio.device=4K@0xd0000000:5 a=b.c virtio-mmio.x=1 "
                "vsock.device=2 virtio_mmio",
                "virtio_mmio"),
            "device=4K@0xd0000000:5 x=1");
  EXPECT_EQ(ModuleParameters("quiet", "vsock"), "");
}

}  // namespace
}  // namespace ktstr::guestd
