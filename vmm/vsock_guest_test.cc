// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A bare-metal driver that lies to the vsock device, on the real /dev/kvm: the
// device must refuse and the machine must go on.

#include <cstdlib>
#include <string>

#include "base/file.h"
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
constexpr uint64_t kRamEnd = 64 * kMiB;
constexpr uint16_t kNext = virtio::kDescriptorNext;

class VsockGuestTest : public testing::Test {
 protected:
  void SetUp() override {
    KTSTR_REQUIRE_KVM();
    driver_.Map(kDirectory).Negotiate();
  }

  GuestRun Run(const GuestProgram& program) {
    absl::StatusOr<TempDir> dir = TempDir::Create("vsock-guest-");
    EXPECT_OK(dir.status());
    MachineSpec spec;
    spec.memory_mib = kRamEnd / kMiB;
    spec.vsock_path = JoinPath(dir->path(), "vsock");
    absl::StatusOr<GuestRun> run = RunGuest(program, spec);
    EXPECT_OK(run.status());
    EXPECT_FALSE(FileExists(spec.vsock_path));
    return run.value_or(GuestRun());
  }
  // What driver_ was told to do.
  void ExpectRefused() {
    driver_.WaitForNeedsReset();
    GuestRun run = Run(program_.PowerOff());
    EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
    EXPECT_EQ(run.console, "refused");
    EXPECT_THAT(run.outcome.detail, HasSubstr("vsock"));
  }

  GuestProgram program_;
  GuestDriver driver_{&program_, {.registers = kVirtioMmio, .queues = 3}};
};

TEST_F(VsockGuestTest, DeviceIsFoundAtItsPlace) {
  GuestProgram program;
  program.MapLargePage(kVirtioMmio, kDirectory)
      .Load32(kVirtioMmio + virtio_mmio::kMagicValue)
      .PrintIfEaxIs(virtio_mmio::kMagic, 'm', '!')
      .Load32(kVirtioMmio + virtio_mmio::kDeviceId)
      .PrintIfEaxIs(virtio::kDeviceIdVsock, 'v', '!')
      .Load32(kVirtioMmio + virtio_mmio::kConfig)
      .PrintIfEaxIs(3, 'c', '!')
      .PowerOff();
  EXPECT_EQ(Run(program).console, "mvc");
}

TEST_F(VsockGuestTest, RefusesAChainThatNeverEnds) {
  driver_.SetUpQueues()
      .Descriptor(0, 0x300000, 44, kNext, 1)
      .Descriptor(1, 0x300000, 44, kNext, 0)
      .Offer(0, 1)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

TEST_F(VsockGuestTest, RefusesABufferOutsideRam) {
  driver_.SetUpQueues()
      .Descriptor(0, kRamEnd - 8, 44, 0, 0)
      .Offer(0, 1)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

TEST_F(VsockGuestTest, RefusesABufferThatWrapsAround) {
  driver_.SetUpQueues()
      .Descriptor(0, 0xFFFFFFFFFFFFFFF0, 0xFFFFFFFF, 0, 0)
      .Offer(0, 1)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

TEST_F(VsockGuestTest, RefusesADescriptorNumberBeyondTheTable) {
  driver_.SetUpQueues()
      .Offer(GuestDriver::kQueueSize, 1)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

TEST_F(VsockGuestTest, RefusesMoreEntriesThanTheQueueHas) {
  driver_.SetUpQueues()
      .Descriptor(0, 0x300000, 44, 0, 0)
      .Offer(0, 60000)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

TEST_F(VsockGuestTest, RefusesRingsOutsideRam) {
  driver_.SetUpQueues(kRamEnd).SetDriverOk();
  ExpectRefused();
}

TEST_F(VsockGuestTest, RefusesAPacketWithoutAWholeHeader) {
  driver_.SetUpQueues()
      .Descriptor(0, 0x300000, 43, 0, 0)
      .Offer(0, 1)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

TEST_F(VsockGuestTest, SurvivesABellForAQueueThatDoesNotExist) {
  driver_.SetUpQueues()
      .SetDriverOk()
      .Set(virtio_mmio::kQueueNotify, 77)
      .Descriptor(0, kRamEnd, 44, 0, 0)
      .Offer(0, 1)
      .SetDriverOk()
      .Notify();
  ExpectRefused();
}

}  // namespace
}  // namespace ktstr::vmm
