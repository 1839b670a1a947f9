// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_PLATFORM_DEVICES_H_
#define KTSTR_VMM_ARCH_X86_64_PLATFORM_DEVICES_H_

#include <functional>

#include "absl/status/status.h"
#include "vmm/devices/acpi_power.h"
#include "vmm/devices/bus.h"
#include "vmm/devices/console_writer.h"
#include "vmm/devices/i8042.h"
#include "vmm/devices/interrupt.h"
#include "vmm/devices/serial.h"

namespace ktstr::vmm {

// The devices a PC has soldered on: serial port, keyboard controller (for
// reset), power management (for power-off).
//
// Threads:  callbacks come on vCPU threads, possibly more than once.
// Lifetime: as Serial.
class PlatformDevices {
 public:
  struct Options {
    // Where the serial port's bytes go. Not null.
    ConsoleWriter* console = nullptr;
    InterruptLine serial_interrupt;
    std::function<void()> on_power_off;
    std::function<void()> on_reset;
  };

  explicit PlatformDevices(Options options);

  // Puts the devices at their places of layout.h.
  absl::Status AttachTo(Bus& ports);

 private:
  Serial serial_;
  I8042 i8042_;
  AcpiPower power_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_PLATFORM_DEVICES_H_
