// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/i8042.h"

#include <algorithm>

namespace ktstr::vmm {
namespace {

// Commands, written to the command port.
constexpr uint8_t kReadControl = 0x20;
constexpr uint8_t kWriteControl = 0x60;
constexpr uint8_t kDisableAux = 0xa7;
constexpr uint8_t kEnableAux = 0xa8;
constexpr uint8_t kTestAux = 0xa9;
constexpr uint8_t kSelfTest = 0xaa;
constexpr uint8_t kTestKeyboard = 0xab;
constexpr uint8_t kDisableKeyboard = 0xad;
constexpr uint8_t kEnableKeyboard = 0xae;
constexpr uint8_t kReadOutputPort = 0xd0;
constexpr uint8_t kWriteOutputPort = 0xd1;
constexpr uint8_t kLoopKeyboard = 0xd2;
constexpr uint8_t kLoopAux = 0xd3;
constexpr uint8_t kWriteAux = 0xd4;
// 0xf0 to 0xff pulse output port bits that are zero; bit 0 is the reset line.
constexpr uint8_t kPulseMask = 0xf0;
constexpr uint8_t kResetLine = 0x01;

// Answers.
constexpr uint8_t kSelfTestPassed = 0x55;
constexpr uint8_t kPortWorks = 0x00;
constexpr uint8_t kClockStuckLow = 0x01;
constexpr uint8_t kResend = 0xfe;

// Status register.
constexpr uint8_t kStatusOutputFull = 0x01;
constexpr uint8_t kStatusSelfTestPassed = 0x04;
constexpr uint8_t kStatusUnlocked = 0x10;

// Control byte.
constexpr uint8_t kControlKeyboardInterrupt = 0x01;
constexpr uint8_t kControlKeyboardOff = 0x10;
constexpr uint8_t kControlAuxOff = 0x20;

}  // namespace

void I8042::Read(uint64_t offset, absl::Span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0xff});
  if (out.empty()) return;
  MutexLock lock(&mutex_);
  if (offset == kDataOffset) {
    if (output_) last_output_ = *output_;
    output_.reset();
    out[0] = static_cast<std::byte>(last_output_);
  } else if (offset == kCommandOffset) {
    out[0] =
        static_cast<std::byte>(kStatusSelfTestPassed | kStatusUnlocked |
                               (output_.has_value() ? kStatusOutputFull : 0));
  }
}

void I8042::Write(uint64_t offset, absl::Span<const std::byte> in) {
  if (in.empty()) return;
  const uint8_t value = static_cast<uint8_t>(in[0]);
  Action action = Action::kNone;
  {
    MutexLock lock(&mutex_);
    if (offset == kDataOffset) action = DataLocked(value);
    if (offset == kCommandOffset) action = CommandLocked(value);
  }
  if (action == Action::kReset && reset_) reset_();
  if (action == Action::kKeyboardInterrupt) RaiseInterrupt(keyboard_interrupt_);
}

I8042::Action I8042::CommandLocked(uint8_t command) {
  awaiting_parameter_ = 0;
  if ((command & kPulseMask) == kPulseMask) {
    return command & kResetLine ? Action::kNone : Action::kReset;
  }
  switch (command) {
    case kReadControl:
      output_ = control_;
      break;
    case kDisableAux:
      control_ |= kControlAuxOff;
      break;
    case kEnableAux:
      control_ &= ~kControlAuxOff;
      break;
    case kDisableKeyboard:
      control_ |= kControlKeyboardOff;
      break;
    case kEnableKeyboard:
      control_ &= ~kControlKeyboardOff;
      break;
    case kSelfTest:
      output_ = kSelfTestPassed;
      break;
    case kTestKeyboard:
      output_ = kPortWorks;
      break;
    case kTestAux:
      // No mouse port: the driver then does not look for a mouse.
      output_ = kClockStuckLow;
      break;
    case kReadOutputPort:
      output_ = kResetLine;
      break;
    case kWriteControl:
    case kWriteOutputPort:
    case kLoopKeyboard:
    case kLoopAux:
    case kWriteAux:
      awaiting_parameter_ = command;
      break;
    default:
      break;
  }
  return Action::kNone;
}

I8042::Action I8042::DataLocked(uint8_t value) {
  switch (std::exchange(awaiting_parameter_, 0)) {
    case kWriteControl:
      control_ = value;
      return Action::kNone;
    case kWriteOutputPort:
      return value & kResetLine ? Action::kNone : Action::kReset;
    case kLoopKeyboard:
    case kLoopAux:
      // Without the "from mouse" status bit, so it does not pass for a mouse.
      output_ = value;
      return Action::kNone;
    case kWriteAux:
      return Action::kNone;
    default:
      // For the keyboard, which is not there: refuse instead of staying silent,
      // so that nobody waits.
      output_ = kResend;
      return control_ & kControlKeyboardInterrupt ? Action::kKeyboardInterrupt
                                                  : Action::kNone;
  }
}

}  // namespace ktstr::vmm
