// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Bare-metal drivers of the virtio console, honest and lying, on the real
// /dev/kvm.

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"
#include "vmm/testing/guest_driver.h"
#include "vmm/testing/guest_program.h"
#include "vmm/testing/guest_run.h"

namespace ktstr::vmm {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kDirectory = 0xC000;
constexpr uint64_t kRegisters = kVirtioMmio + kVirtioMmioStride;
constexpr uint64_t kText = 0x300000;
constexpr uint64_t kRamEnd = 64 * kMiB;

class ConsoleGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    KTSTR_REQUIRE_KVM();
    driver_.Map(kDirectory);
  }

  GuestRun Run(ConsoleDevice console = ConsoleDevice::kVirtio) {
    MachineSpec spec;
    spec.memory_mib = kRamEnd / kMiB;
    spec.console = console;
    absl::StatusOr<GuestRun> run = RunGuest(program_, spec);
    EXPECT_OK(run.status());
    return run.value_or(GuestRun());
  }
  void ExpectRefused() {
    driver_.SetDriverOk().Notify().WaitForNeedsReset();
    program_.PowerOff();
    GuestRun run = Run();
    EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
    EXPECT_EQ(run.console, "refused");
    EXPECT_THAT(run.outcome.detail, HasSubstr("console"));
  }

  GuestProgram program_;
  GuestDriver driver_{&program_, {.registers = kRegisters, .queues = 2}};
};

TEST_F(ConsoleGuestTest, DeviceIsAtItsPlaceOnlyWhenAskedFor) {
  program_.Load32(kRegisters + virtio_mmio::kDeviceId)
      .PrintIfEaxIs(virtio::kDeviceIdConsole, 'v', '-')
      .PowerOff();
  EXPECT_EQ(Run(ConsoleDevice::kVirtio).console, "v");
  EXPECT_EQ(Run(ConsoleDevice::kSerial).console, "-");
}

TEST_F(ConsoleGuestTest, TextOfBothDevicesArrivesInItsOrder) {
  driver_.Negotiate().SetUpQueues().SetDriverOk();
  program_.Print("serial, ")
      .Store64(kText, 0x0A6C6175'74726976);  // "virtual\n"
  driver_.Descriptor(0, kText, 8, 0, 0).Offer(0, 1).Notify().WaitForUsed(1);
  program_.Print("serial").PowerOff();
  GuestRun run = Run();
  EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
  EXPECT_EQ(run.console, "serial, virtual\nserial");
  EXPECT_NE(run.Find("console"), nullptr);
}

// What a guest was told is taken is in the log, however the machine ends.
TEST_F(ConsoleGuestTest, LastWordsBeforeATripleFaultArrive) {
  driver_.Negotiate().SetUpQueues().SetDriverOk();
  program_.Store64(kText, 0x0A736472'6F772021);  // "! words\n"
  driver_.Descriptor(0, kText, 8, 0, 0).Offer(0, 1).Notify().WaitForUsed(1);
  program_.TripleFault();
  GuestRun run = Run();
  EXPECT_EQ(run.outcome.end, MachineEnd::kTripleFault) << run.outcome.detail;
  EXPECT_EQ(run.console, "! words\n");
}

TEST_F(ConsoleGuestTest, RefusesABufferOutsideRam) {
  driver_.Negotiate()
      .SetUpQueues()
      .Descriptor(0, kRamEnd - 8, 44, 0, 0)
      .Offer(0, 1);
  ExpectRefused();
}

TEST_F(ConsoleGuestTest, RefusesAChainThatNeverEnds) {
  driver_.Negotiate()
      .SetUpQueues()
      .Descriptor(0, kText, 8, virtio::kDescriptorNext, 1)
      .Descriptor(1, kText, 8, virtio::kDescriptorNext, 0)
      .Offer(0, 1);
  ExpectRefused();
}

TEST_F(ConsoleGuestTest, RefusesABufferToWriteTo) {
  driver_.Negotiate()
      .SetUpQueues()
      .Descriptor(0, kText, 8, virtio::kDescriptorWrite, 0)
      .Offer(0, 1);
  ExpectRefused();
}

}  // namespace
}  // namespace ktstr::vmm
