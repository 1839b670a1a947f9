// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/acpi_power.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kEnableOffset = 2;
// PM1 control, low byte: the platform is in ACPI mode from the start.
constexpr uint8_t kSciEnabled = 0x01;
// PM1 control, high byte: SLP_TYPx is bits 10 to 12, SLP_EN bit 13.
constexpr uint8_t kSleepTypeShift = 2;
constexpr uint8_t kSleepTypeMask = 0x07;
constexpr uint8_t kSleepEnable = 0x20;

}  // namespace

uint8_t AcpiPower::ReadByte(uint64_t offset) const {
  switch (offset) {
    case kEnableOffset:
      return enable_.load() & 0xff;
    case kEnableOffset + 1:
      return enable_.load() >> 8;
    case kControlOffset:
      return kSciEnabled;
    default:
      return 0;
  }
}

void AcpiPower::Read(uint64_t offset, absl::Span<std::byte> out) {
  for (std::byte& byte : out) byte = static_cast<std::byte>(ReadByte(offset++));
}

void AcpiPower::Write(uint64_t offset, absl::Span<const std::byte> in) {
  for (const std::byte byte : in) {
    const uint8_t value = static_cast<uint8_t>(byte);
    const uint64_t at = offset++;
    if (at == kEnableOffset) enable_ = (enable_ & 0xff00) | value;
    if (at == kEnableOffset + 1) enable_ = (enable_ & 0x00ff) | (value << 8);
    if (at != kControlOffset + 1 || !(value & kSleepEnable)) continue;
    const uint8_t type = (value >> kSleepTypeShift) & kSleepTypeMask;
    if (type == kSoftOffSleepType && power_off_) power_off_();
  }
}

}  // namespace ktstr::vmm
