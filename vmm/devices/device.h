// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_DEVICE_H_
#define KTSTR_VMM_DEVICES_DEVICE_H_

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ktstr::vmm {

// What answers when the guest touches a port or a memory-mapped register.
//
// Shape:   an access has 1, 2, 4 or 8 bytes, little-endian, and lies within the
//          range the device was put at. The device sees offsets, never where it
//          is mapped.
// Trust:   offset, size and bytes are guest-controlled. A device has an answer
//          for each of them; there is no error to return to a guest.
// Threads: several vCPU threads may call at once.
// Blocks:  never for longer than the work itself; slow work goes to the event
//          loop.
class IoDevice {
 public:
  virtual ~IoDevice() = default;

  // For logs and error messages.
  virtual absl::string_view name() const = 0;

  // Fills all of `out`.
  virtual void Read(uint64_t offset, absl::Span<std::byte> out) = 0;
  virtual void Write(uint64_t offset, absl::Span<const std::byte> in) = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_DEVICE_H_
