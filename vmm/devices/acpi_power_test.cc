// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/acpi_power.h"

#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

class AcpiPowerTest : public ::testing::Test {
 protected:
  void Write16(uint64_t offset, uint16_t value) {
    const std::byte bytes[] = {static_cast<std::byte>(value & 0xff),
                               static_cast<std::byte>(value >> 8)};
    power_.Write(offset, bytes);
  }
  uint16_t Read16(uint64_t offset) {
    std::byte bytes[2];
    power_.Read(offset, absl::MakeSpan(bytes));
    return static_cast<uint16_t>(static_cast<int>(bytes[0]) |
                                 static_cast<int>(bytes[1]) << 8);
  }

  int power_offs_ = 0;
  AcpiPower power_{[this] { ++power_offs_; }};
};

TEST_F(AcpiPowerTest, AcpiModeIsOnFromTheStart) {
  EXPECT_EQ(Read16(AcpiPower::kControlOffset), 1);
}

TEST_F(AcpiPowerTest, OnlySoftOffWithEnableSwitchesOff) {
  const uint16_t type = AcpiPower::kSoftOffSleepType << 10;
  const uint16_t enable = 1 << 13;
  Write16(AcpiPower::kControlOffset, type);
  Write16(AcpiPower::kControlOffset, enable);
  Write16(AcpiPower::kControlOffset, enable | 1 << 10);
  Write16(AcpiPower::kEventOffset, type | enable);
  EXPECT_EQ(power_offs_, 0);
  Write16(AcpiPower::kControlOffset, type | enable);
  EXPECT_EQ(power_offs_, 1);
  EXPECT_EQ(Read16(AcpiPower::kControlOffset), 1);
}

TEST_F(AcpiPowerTest, ByteAccessSwitchesOffToo) {
  const std::byte high{AcpiPower::kSoftOffSleepType << 2 | 0x20};
  power_.Write(AcpiPower::kControlOffset + 1, absl::MakeConstSpan(&high, 1));
  EXPECT_EQ(power_offs_, 1);
}

TEST_F(AcpiPowerTest, NoEventIsEverPendingAndEnablesAreKept) {
  Write16(0, 0xffff);
  EXPECT_EQ(Read16(0), 0);
  Write16(2, 0x0120);
  EXPECT_EQ(Read16(2), 0x0120);
}

}  // namespace
}  // namespace ktstr::vmm
