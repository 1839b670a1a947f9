// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/platform_devices.h"

#include <utility>

#include "base/status_macros.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/devices/serial_registers.h"

namespace ktstr::vmm {

static_assert(kI8042Port + I8042::kCommandOffset == kI8042CommandPort);

PlatformDevices::PlatformDevices(Options options)
    : serial_(options.console, std::move(options.serial_interrupt)),
      i8042_(std::move(options.on_reset), InterruptLine()),
      power_(std::move(options.on_power_off)) {}

absl::Status PlatformDevices::AttachTo(Bus& ports) {
  ABSL_RETURN_IF_ERROR(
      ports.Add(kSerialPort, serial::kRegisterCount, &serial_));
  ABSL_RETURN_IF_ERROR(ports.Add(kI8042Port, 1, &i8042_, I8042::kDataOffset));
  ABSL_RETURN_IF_ERROR(
      ports.Add(kI8042CommandPort, 1, &i8042_, I8042::kCommandOffset));
  return ports.Add(kAcpiPowerPort, AcpiPower::kSizeBytes, &power_);
}

}  // namespace ktstr::vmm
