// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_SERIAL_H_
#define KTSTR_VMM_DEVICES_SERIAL_H_

#include <array>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "vmm/devices/console_writer.h"
#include "vmm/devices/device.h"
#include "vmm/devices/interrupt.h"
#include "vmm/devices/serial_registers.h"

namespace ktstr::vmm {

// A 16550 that only talks: what the guest transmits goes to a ConsoleWriter,
// nothing is ever received except in loopback. The transmitter is always
// empty, so neither a polling nor an interrupt-driven driver waits.
//
// Shape:    kRegisterCount byte-wide ports; a wider access reaches the register
//           it starts at, its other bytes read as ones and are not written.
// Threads:  Read and Write from any thread.
// Lifetime: borrows the writer.
// Source:   serial_registers.h; probed by Linux drivers/tty/serial/8250.
class Serial : public IoDevice {
 public:
  Serial(ConsoleWriter* output, InterruptLine interrupt);

  absl::string_view name() const override { return "serial"; }
  void Read(uint64_t offset, absl::Span<std::byte> out) override;
  void Write(uint64_t offset, absl::Span<const std::byte> in) override;

 private:
  uint8_t ReadLocked(uint64_t offset) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when `value` is a byte to transmit.
  bool WriteLocked(uint64_t offset, uint8_t value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint8_t ModemStatusLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint8_t PendingLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when the interrupt output goes up.
  bool UpdateOutputLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  uint8_t PopReceivedLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  ConsoleWriter* const output_;
  const InterruptLine interrupt_;

  // Guards the registers; never held while calling out.
  Mutex mutex_;
  uint8_t ier_ ABSL_GUARDED_BY(mutex_) = 0;
  uint8_t fcr_ ABSL_GUARDED_BY(mutex_) = 0;
  uint8_t lcr_ ABSL_GUARDED_BY(mutex_) = 0;
  uint8_t mcr_ ABSL_GUARDED_BY(mutex_) = 0;
  uint8_t scr_ ABSL_GUARDED_BY(mutex_) = 0;
  uint8_t dll_ ABSL_GUARDED_BY(mutex_) = 1;
  uint8_t dlm_ ABSL_GUARDED_BY(mutex_) = 0;
  // Transmitter-empty is latched until IIR reports it.
  bool is_empty_latched_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_output_up_ ABSL_GUARDED_BY(mutex_) = false;
  // Loopback only.
  std::array<uint8_t, serial::kFifoBytes> received_
      ABSL_GUARDED_BY(mutex_) = {};
  size_t received_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_SERIAL_H_
