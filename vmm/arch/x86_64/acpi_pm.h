// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_ACPI_PM_H_
#define KTSTR_VMM_ARCH_X86_64_ACPI_PM_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "vmm/devices/device.h"

namespace ktstr::vmm {

// The ACPI fixed power-management registers: PM1a status and enable at offset
// 0, control at offset 4. No event ever happens; what counts is the write of
// sleep type S5 with sleep enable, which powers the machine off.
//
// Source: ACPI specification 6.5, 4.8.3.
class AcpiPm : public IoDevice {
 public:
  // `power_off` is called on the thread of the writing vCPU, each time.
  explicit AcpiPm(std::function<void()> power_off)
      : power_off_(std::move(power_off)) {}

  absl::string_view name() const override { return "acpi-pm"; }
  void Read(uint64_t offset, absl::Span<std::byte> out) override;
  void Write(uint64_t offset, absl::Span<const std::byte> in) override;

 private:
  const std::function<void()> power_off_;
  std::atomic<uint16_t> enable_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_ACPI_PM_H_
