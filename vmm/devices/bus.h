// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_BUS_H_
#define KTSTR_VMM_DEVICES_BUS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "vmm/devices/device.h"

namespace ktstr::vmm {

// An address space of devices: one for ports, one for memory-mapped registers.
//
// Shape:    ranges [base, base + size_bytes), never overlapping. An access
//           belongs to a device only if all its bytes lie in the device's
//           range; otherwise nobody claims it.
// Trust:    addresses and bytes of Read and Write are guest-controlled.
// Threads:  Add before the first vCPU runs; Read and Write from any thread
//           after.
// Lifetime: borrows the devices, which outlive it.
class Bus {
 public:
  // Puts `device` at [base, base + size_bytes). One device may be at several
  // ranges: it sees offsets from `base` plus `first_offset`.
  //
  // Errors:
  //   InvalidArgument  size_bytes is zero.
  //   OutOfRange       the range wraps around the address space.
  //   AlreadyExists    another range overlaps; the message names its device.
  absl::Status Add(uint64_t base, uint64_t size_bytes, IoDevice* device,
                   uint64_t first_offset = 0);

  // Fills `out`: with ones if nobody claims the access. False if so.
  bool Read(uint64_t address, absl::Span<std::byte> out) const;
  // False if nobody claims the access; nothing happens then.
  bool Write(uint64_t address, absl::Span<const std::byte> in) const;

 private:
  struct Mapping {
    uint64_t base;
    uint64_t size_bytes;
    IoDevice* device;
    uint64_t first_offset;
  };
  const Mapping* Find(uint64_t address, size_t access_bytes) const;

  // Sorted by base; constant once vCPUs run.
  std::vector<Mapping> mappings_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_BUS_H_
