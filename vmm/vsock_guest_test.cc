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
#include "vmm/testing/guest_program.h"
#include "vmm/testing/guest_run.h"

namespace ktstr::vmm {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kDirectory = 0xC000;
// Rings of queue q: 4 KiB each from here on.
constexpr uint64_t kRings = 0x200000;
constexpr uint64_t kDescriptors = 0, kAvailable = 0x1000, kUsed = 0x2000;
constexpr uint64_t kRingsStride = 0x3000;
constexpr uint32_t kQueues = 3, kTransmit = 1, kQueueSize = 8;
constexpr uint32_t kRamEnd = 64 * kMiB;
constexpr uint16_t kNext = 1;
constexpr uint32_t kReady = virtio::kStatusAcknowledge | virtio::kStatusDriver |
                            virtio::kStatusFeaturesOk | virtio::kStatusDriverOk;

// A driver under construction.
class LyingDriver {
 public:
  LyingDriver() {
    program_.MapLargePage(kVirtioMmio, kDirectory);
    Set(virtio_mmio::kStatus, 0);
    Set(virtio_mmio::kStatus,
        virtio::kStatusAcknowledge | virtio::kStatusDriver);
    Set(virtio_mmio::kDriverFeaturesSel, 1);
    Set(virtio_mmio::kDriverFeatures, 1);  // VIRTIO_F_VERSION_1
    Set(virtio_mmio::kStatus, kReady & ~virtio::kStatusDriverOk);
  }

  LyingDriver& SetUpQueues(uint64_t rings = kRings) {
    for (uint32_t queue = 0; queue < kQueues; ++queue) {
      uint64_t base = rings + queue * kRingsStride;
      Set(virtio_mmio::kQueueSel, queue);
      Set(virtio_mmio::kQueueNum, kQueueSize);
      SetAddress(virtio_mmio::kQueueDescLow, base + kDescriptors);
      SetAddress(virtio_mmio::kQueueDriverLow, base + kAvailable);
      SetAddress(virtio_mmio::kQueueDeviceLow, base + kUsed);
      Set(virtio_mmio::kQueueReady, 1);
    }
    return *this;
  }
  LyingDriver& Descriptor(uint32_t index, uint64_t address, uint32_t bytes,
                          uint16_t flags, uint16_t next) {
    uint64_t at = Ring(kDescriptors) + index * 16;
    program_.Store64(at, address)
        .Store32(at + 8, bytes)
        .Store32(at + 12, uint32_t{flags} | uint32_t{next} << 16);
    return *this;
  }
  // Offers `count` entries, the first of them `head`, and rings the bell.
  LyingDriver& Offer(uint16_t head, uint16_t count) {
    program_.Store32(Ring(kAvailable) + 4, head)
        .Store32(Ring(kAvailable), uint32_t{count} << 16);
    Set(virtio_mmio::kStatus, kReady);
    Set(virtio_mmio::kQueueNotify, kTransmit);
    return *this;
  }
  // Waits until the device asks to be reset, resets it, and says so.
  GuestProgram& ExpectNeedsReset() {
    return program_
        .WaitFor32(kVirtioMmio + virtio_mmio::kStatus,
                   kReady | virtio::kStatusNeedsReset)
        .Store32(kVirtioMmio + virtio_mmio::kStatus, 0)
        .WaitFor32(kVirtioMmio + virtio_mmio::kStatus, 0)
        .Print("refused")
        .PowerOff();
  }
  LyingDriver& Set(uint64_t offset, uint32_t value) {
    program_.Store32(kVirtioMmio + offset, value);
    return *this;
  }

 private:
  static uint64_t Ring(uint64_t part) {
    return kRings + kTransmit * kRingsStride + part;
  }
  void SetAddress(uint64_t offset, uint64_t address) {
    Set(offset, uint32_t(address));
    Set(offset + 4, uint32_t(address >> 32));
  }

  GuestProgram program_;
};

class VsockGuestTest : public testing::Test {
 protected:
  void SetUp() override { KTSTR_REQUIRE_KVM(); }

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
  void ExpectRefused(LyingDriver& driver) {
    GuestRun run = Run(driver.ExpectNeedsReset());
    EXPECT_EQ(run.outcome.end, MachineEnd::kPowerOff) << run.outcome.detail;
    EXPECT_EQ(run.console, "refused");
    EXPECT_THAT(run.outcome.detail, HasSubstr("vsock"));
  }
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
  LyingDriver driver;
  driver.SetUpQueues()
      .Descriptor(0, 0x300000, 44, kNext, 1)
      .Descriptor(1, 0x300000, 44, kNext, 0)
      .Offer(0, 1);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, RefusesABufferOutsideRam) {
  LyingDriver driver;
  driver.SetUpQueues().Descriptor(0, kRamEnd - 8, 44, 0, 0).Offer(0, 1);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, RefusesABufferThatWrapsAround) {
  LyingDriver driver;
  driver.SetUpQueues()
      .Descriptor(0, 0xFFFFFFFFFFFFFFF0, 0xFFFFFFFF, 0, 0)
      .Offer(0, 1);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, RefusesADescriptorNumberBeyondTheTable) {
  LyingDriver driver;
  driver.SetUpQueues().Offer(kQueueSize, 1);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, RefusesMoreEntriesThanTheQueueHas) {
  LyingDriver driver;
  driver.SetUpQueues().Descriptor(0, 0x300000, 44, 0, 0).Offer(0, 60000);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, RefusesRingsOutsideRam) {
  LyingDriver driver;
  driver.SetUpQueues(/*rings=*/kRamEnd).Set(virtio_mmio::kStatus, kReady);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, RefusesAPacketWithoutAWholeHeader) {
  LyingDriver driver;
  driver.SetUpQueues().Descriptor(0, 0x300000, 43, 0, 0).Offer(0, 1);
  ExpectRefused(driver);
}

TEST_F(VsockGuestTest, SurvivesABellForAQueueThatDoesNotExist) {
  LyingDriver driver;
  driver.SetUpQueues()
      .Set(virtio_mmio::kStatus, kReady)
      .Set(virtio_mmio::kQueueNotify, 77)
      .Descriptor(0, kRamEnd, 44, 0, 0)
      .Offer(0, 1);
  ExpectRefused(driver);
}

}  // namespace
}  // namespace ktstr::vmm
