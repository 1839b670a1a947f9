// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/acpi_pm.h"

#include <algorithm>

#include "vmm/arch/x86_64/acpi.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kEnableOffset = 2;
constexpr uint64_t kControlOffset = 4;
constexpr uint16_t kControlSciEnable = 1 << 0;
constexpr int kControlSleepTypeShift = 10;
constexpr uint16_t kControlSleepTypeMask = 7;
constexpr uint16_t kControlSleepEnable = 1 << 13;

}  // namespace

void AcpiPm::Read(uint64_t offset, absl::Span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0});
  uint16_t value = offset == kEnableOffset    ? enable_.load()
                   : offset == kControlOffset ? kControlSciEnable
                                              : 0;
  for (size_t i = 0; i < out.size() && i < sizeof(value); ++i) {
    out[i] = std::byte(value >> 8 * i);
  }
}

void AcpiPm::Write(uint64_t offset, absl::Span<const std::byte> in) {
  uint16_t value = 0;
  for (size_t i = 0; i < in.size() && i < sizeof(value); ++i) {
    value = uint16_t(value | uint16_t(in[i]) << 8 * i);
  }
  if (offset == kEnableOffset) enable_ = value;
  if (offset != kControlOffset) return;
  uint16_t type = value >> kControlSleepTypeShift & kControlSleepTypeMask;
  if ((value & kControlSleepEnable) && type == kS5SleepType) power_off_();
}

}  // namespace ktstr::vmm
