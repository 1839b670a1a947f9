// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_MEMORY_GUEST_PHYS_ADDR_H_
#define KTSTR_VMM_MEMORY_GUEST_PHYS_ADDR_H_

#include <compare>
#include <cstdint>

namespace ktstr::vmm {

// An address on the guest's physical bus; never a host pointer, never an
// offset into a file.
//
// Trust: often chosen by the guest. Arithmetic wraps like any unsigned number;
//        GuestMemory is where a range is judged.
class GuestPhysAddr {
 public:
  constexpr GuestPhysAddr() = default;
  constexpr explicit GuestPhysAddr(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }

  constexpr GuestPhysAddr operator+(uint64_t bytes) const {
    return GuestPhysAddr(value_ + bytes);
  }
  // Bytes from `other` up to this address.
  constexpr uint64_t operator-(GuestPhysAddr other) const {
    return value_ - other.value_;
  }
  constexpr bool IsAlignedTo(uint64_t power_of_two) const {
    return (value_ & (power_of_two - 1)) == 0;
  }
  constexpr auto operator<=>(const GuestPhysAddr&) const = default;

 private:
  uint64_t value_ = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_MEMORY_GUEST_PHYS_ADDR_H_
