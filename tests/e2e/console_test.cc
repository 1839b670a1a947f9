// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a Linux kernel says on either console arrives, its last words too.
#include <string>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"
#include "tests/lib/linux_guest.h"

namespace ktstr::e2e {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class ConsoleTest : public ::testing::TestWithParam<ConsoleDevice> {
 protected:
  static LinuxGuestRun Run(const std::string& cmdline) {
    const std::string vmm = Program("vmm");
    absl::StatusOr<LinuxGuestRun> run =
        Boot({.programs = vmm.substr(0, vmm.rfind('/')),
              .kernel = KernelPath(),
              .cmdline = cmdline,
              .console = GetParam()});
    EXPECT_OK(run.status());
    return run.value_or(LinuxGuestRun());
  }
};

TEST_P(ConsoleTest, VerboseBootArrivesWhole) {
  LinuxGuestRun run = Run("ignore_loglevel");
  EXPECT_EQ(run.end.end, MachineEnd::kPowerOff) << run.end.detail;
  EXPECT_TRUE(run.hello.has_value());
  EXPECT_THAT(run.console, HasSubstr("Linux version "));
  EXPECT_THAT(run.console, HasSubstr("Run /init as init process"));
  EXPECT_THAT(run.console, Not(HasSubstr("bytes lost]")));
}

TEST_P(ConsoleTest, QuietBootSaysNothingButItsEnd) {
  LinuxGuestRun run = Run("loglevel=1");
  EXPECT_EQ(run.end.end, MachineEnd::kPowerOff) << run.end.detail;
  // Said after the devices were shut down, the virtio console among them.
  if (GetParam() == ConsoleDevice::kVirtio) {
    EXPECT_EQ(run.console, "");
  } else {
    EXPECT_THAT(run.console,
                MatchesRegex("\\[ *[0-9.]+\\] reboot: Power down\r\n"));
  }
}

// The words of a panic are the whole evidence of a boot that failed.
TEST_P(ConsoleTest, PanicArrivesToItsLastLine) {
  LinuxGuestRun run = Run("loglevel=5 -- panic");
  EXPECT_EQ(run.end.end, MachineEnd::kReset) << run.end.detail;
  EXPECT_THAT(run.console, HasSubstr("Kernel panic - not syncing: Attempted to "
                                     "kill init! exitcode=0x00000700"));
  EXPECT_THAT(run.console, HasSubstr("Call Trace:"));
  EXPECT_THAT(run.console, EndsWith("] Kernel Offset: disabled\r\n"));
}

// Long before there is a virtio console.
TEST_P(ConsoleTest, EarlyPanicArrives) {
  LinuxGuestRun run = Run("loglevel=5 mem=4M");
  EXPECT_EQ(run.end.end, MachineEnd::kReset) << run.end.detail;
  EXPECT_THAT(run.console, HasSubstr("Kernel panic - not syncing: "));
  EXPECT_THAT(run.console, EndsWith("\n"));
}

INSTANTIATE_TEST_SUITE_P(Devices, ConsoleTest,
                         ::testing::Values(ConsoleDevice::kSerial,
                                           ConsoleDevice::kVirtio),
                         [](const auto& device) {
                           return device.param == ConsoleDevice::kSerial
                                      ? "Serial"
                                      : "Virtio";
                         });

}  // namespace
}  // namespace ktstr::e2e
