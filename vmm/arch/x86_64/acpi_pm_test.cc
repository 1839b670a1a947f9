// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/acpi_pm.h"

#include <array>

#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

class AcpiPmTest : public testing::Test {
 protected:
  void WriteU16(uint64_t offset, uint16_t value) {
    std::array<std::byte, 2> bytes = {std::byte(value & 0xFF),
                                      std::byte(value >> 8)};
    pm_.Write(offset, bytes);
  }
  uint16_t ReadU16(uint64_t offset) {
    std::array<std::byte, 2> bytes;
    pm_.Read(offset, absl::MakeSpan(bytes));
    return uint16_t(uint16_t(bytes[0]) | uint16_t(bytes[1]) << 8);
  }

  int power_offs_ = 0;
  AcpiPm pm_{[this] { ++power_offs_; }};
};

TEST_F(AcpiPmTest, SleepTypeS5WithEnablePowersOff) {
  WriteU16(4, 5 << 10);
  EXPECT_EQ(power_offs_, 0);
  WriteU16(4, 5 << 10 | 1 << 13);
  EXPECT_EQ(power_offs_, 1);
}

TEST_F(AcpiPmTest, OtherSleepTypesDoNothing) {
  for (uint16_t type : {0, 1, 4, 7}) WriteU16(4, type << 10 | 1 << 13);
  EXPECT_EQ(power_offs_, 0);
}

TEST_F(AcpiPmTest, OtherRegistersDoNotPowerOff) {
  for (uint64_t offset : {0, 1, 2, 3, 5}) WriteU16(offset, 0xFFFF);
  EXPECT_EQ(power_offs_, 0);
}

TEST_F(AcpiPmTest, ControlSaysAcpiModeIsOn) { EXPECT_EQ(ReadU16(4) & 1, 1); }

TEST_F(AcpiPmTest, EnableReadsBackAndStatusIsNeverSet) {
  WriteU16(2, 0x0120);
  EXPECT_EQ(ReadU16(2), 0x0120);
  EXPECT_EQ(ReadU16(0), 0);
}

}  // namespace
}  // namespace ktstr::vmm
