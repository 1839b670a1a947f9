// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_ACPI_POWER_H_
#define KTSTR_VMM_DEVICES_ACPI_POWER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vmm/devices/device.h"

namespace ktstr::vmm {

// The ACPI fixed hardware a machine needs to be switched off: the PM1a event
// and control registers. No event ever fires.
//
// Shape:   kEventBytes at kEventOffset (status, then enable), kControlBytes
//          right after; the FADT and the DSDT's \_S5 repeat these numbers.
// Threads: Read and Write from any thread; `power_off` is called on the thread
//          of the vCPU that asked, possibly more than once.
// Source:  ACPI 6.5 section 4.8.3.1 (PM1 event), 4.8.3.2 (PM1 control).
class AcpiPower : public IoDevice {
 public:
  static constexpr uint64_t kEventOffset = 0;
  static constexpr uint64_t kEventBytes = 4;
  static constexpr uint64_t kControlOffset = 4;
  static constexpr uint64_t kControlBytes = 2;
  static constexpr uint64_t kSizeBytes = kEventBytes + kControlBytes;
  // What \_S5 names as SLP_TYP.
  static constexpr uint8_t kSoftOffSleepType = 5;

  explicit AcpiPower(std::function<void()> power_off)
      : power_off_(std::move(power_off)) {}

  absl::string_view name() const override { return "acpi-power"; }
  void Read(uint64_t offset, absl::Span<std::byte> out) override;
  void Write(uint64_t offset, absl::Span<const std::byte> in) override;

 private:
  uint8_t ReadByte(uint64_t offset) const;

  const std::function<void()> power_off_;
  std::atomic<uint16_t> enable_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_ACPI_POWER_H_
