// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_I8042_H_
#define KTSTR_VMM_DEVICES_I8042_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "vmm/devices/device.h"
#include "vmm/devices/interrupt.h"

namespace ktstr::vmm {

// A keyboard controller without keyboard and mouse: answers every command the
// probing driver waits for at once, and turns the reset commands into a
// callback.
//
// Shape:   one port at offset kDataOffset, one at kCommandOffset; on a PC 0x60
//          and 0x64.
// Threads: Read and Write from any thread; `reset` is called on the thread of
//          the vCPU that asked, outside of all locks, possibly more than once.
// Source:  IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
//          Auxiliary Device Controller"; Linux 6.12
//          drivers/input/serio/i8042.c.
class I8042 : public IoDevice {
 public:
  static constexpr uint64_t kDataOffset = 0;
  static constexpr uint64_t kCommandOffset = 4;

  // `keyboard_interrupt` (IRQ 1) may be empty.
  I8042(std::function<void()> reset, InterruptLine keyboard_interrupt)
      : reset_(std::move(reset)),
        keyboard_interrupt_(std::move(keyboard_interrupt)) {}

  absl::string_view name() const override { return "i8042"; }
  void Read(uint64_t offset, absl::Span<std::byte> out) override;
  void Write(uint64_t offset, absl::Span<const std::byte> in) override;

 private:
  enum class Action { kNone, kReset, kKeyboardInterrupt };
  Action CommandLocked(uint8_t command) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Action DataLocked(uint8_t value) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  const std::function<void()> reset_;
  const InterruptLine keyboard_interrupt_;

  // Guards the registers; never held while calling out.
  Mutex mutex_;
  // The byte in the output buffer, if it is full.
  std::optional<uint8_t> output_ ABSL_GUARDED_BY(mutex_);
  // Output when the buffer is empty: the last byte again.
  uint8_t last_output_ ABSL_GUARDED_BY(mutex_) = 0;
  // As after power-on: both clocks off, scan codes translated.
  uint8_t control_ ABSL_GUARDED_BY(mutex_) = 0x70;
  // The command whose parameter the next data byte is; zero for none.
  uint8_t awaiting_parameter_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_I8042_H_
