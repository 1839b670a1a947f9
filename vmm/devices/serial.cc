// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/serial.h"

#include <algorithm>
#include <utility>

namespace ktstr::vmm {

using namespace serial;  // NOLINT: register names only.

Serial::Serial(ConsoleWriter* output, InterruptLine interrupt)
    : output_(output), interrupt_(std::move(interrupt)) {}

void Serial::Read(uint64_t offset, absl::Span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0xff});
  if (out.empty()) return;
  MutexLock lock(&mutex_);
  out[0] = static_cast<std::byte>(ReadLocked(offset));
}

void Serial::Write(uint64_t offset, absl::Span<const std::byte> in) {
  if (in.empty()) return;
  const uint8_t value = static_cast<uint8_t>(in[0]);
  bool transmits, rises;
  {
    MutexLock lock(&mutex_);
    transmits = WriteLocked(offset, value);
    rises = UpdateOutputLocked();
  }
  if (transmits) output_->Append(static_cast<char>(value));
  if (rises) RaiseInterrupt(interrupt_);
}

uint8_t Serial::ReadLocked(uint64_t offset) {
  const bool latch = lcr_ & kLcrDivisorLatch;
  switch (offset) {
    case kRbrThrDll:
      return latch ? dll_ : PopReceivedLocked();
    case kIerDlm:
      return latch ? dlm_ : ier_;
    case kIirFcr: {
      const uint8_t pending = PendingLocked();
      if (pending == kIirTransmitterEmpty) is_empty_latched_ = false;
      UpdateOutputLocked();
      return pending | (fcr_ & kFcrEnable ? kIirFifosEnabled : 0);
    }
    case kLcr:
      return lcr_;
    case kMcr:
      return mcr_;
    case kLsr:
      return kLsrHoldingEmpty | kLsrTransmitterEmpty |
             (received_count_ > 0 ? kLsrDataReady : 0);
    case kMsr:
      return ModemStatusLocked();
    case kScr:
      return scr_;
    default:
      return 0xff;
  }
}

bool Serial::WriteLocked(uint64_t offset, uint8_t value) {
  const bool latch = lcr_ & kLcrDivisorLatch;
  switch (offset) {
    case kRbrThrDll:
      if (latch) {
        dll_ = value;
        return false;
      }
      is_empty_latched_ = true;
      if (!(mcr_ & kMcrLoop)) return true;
      if (received_count_ < received_.size()) {
        received_[received_count_++] = value;
      }
      return false;
    case kIerDlm:
      if (latch) {
        dlm_ = value;
        return false;
      }
      // Enabling reports an empty transmitter anew, as an edge of its own.
      if (value & ~ier_ & kIerTransmitterEmpty) {
        is_empty_latched_ = true;
        is_output_up_ = false;
      }
      ier_ = value & kIerMask;
      return false;
    case kIirFcr:
      fcr_ = value & kFcrEnable;
      if (value & kFcrClearReceiver) received_count_ = 0;
      return false;
    case kLcr:
      lcr_ = value;
      return false;
    case kMcr:
      mcr_ = value & kMcrMask;
      return false;
    case kScr:
      scr_ = value;
      return false;
    default:
      return false;
  }
}

uint8_t Serial::ModemStatusLocked() const {
  if (!(mcr_ & kMcrLoop)) {
    return kMsrClearToSend | kMsrDataSetReady | kMsrCarrierDetect;
  }
  // Loopback connects RTS to CTS, DTR to DSR, OUT1 to RI and OUT2 to DCD.
  const uint8_t rts = mcr_ & kMcrRequestToSend, dtr = mcr_ & 0x01;
  const uint8_t out1_out2 = mcr_ & 0x0c;
  return static_cast<uint8_t>((rts << 3) | (dtr << 5) | (out1_out2 << 4));
}

uint8_t Serial::PendingLocked() const {
  if ((ier_ & kIerReceived) && received_count_ > 0) return kIirReceived;
  if ((ier_ & kIerTransmitterEmpty) && is_empty_latched_) {
    return kIirTransmitterEmpty;
  }
  return kIirNone;
}

bool Serial::UpdateOutputLocked() {
  const bool was_up = is_output_up_;
  is_output_up_ = PendingLocked() != kIirNone;
  return is_output_up_ && !was_up;
}

uint8_t Serial::PopReceivedLocked() {
  if (received_count_ == 0) return 0;
  const uint8_t value = received_[0];
  std::copy(received_.begin() + 1, received_.begin() + received_count_,
            received_.begin());
  --received_count_;
  UpdateOutputLocked();
  return value;
}

}  // namespace ktstr::vmm
