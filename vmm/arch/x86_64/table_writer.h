// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_TABLE_WRITER_H_
#define KTSTR_VMM_ARCH_X86_64_TABLE_WRITER_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ktstr::vmm {

// Firmware tables, written field by field.
//
// Shape: little-endian, no padding but what is asked for.
class TableWriter {
 public:
  TableWriter& U8(uint8_t value) { return Integer(value, 1); }
  TableWriter& U16(uint16_t value) { return Integer(value, 2); }
  TableWriter& U32(uint32_t value) { return Integer(value, 4); }
  TableWriter& U64(uint64_t value) { return Integer(value, 8); }
  // Exactly `width` bytes: cut, or filled with spaces as ACPI wants names.
  TableWriter& Name(absl::string_view text, size_t width) {
    for (size_t i = 0; i < width; ++i) {
      U8(i < text.size() ? uint8_t(text[i]) : uint8_t{' '});
    }
    return *this;
  }
  TableWriter& Bytes(absl::Span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  TableWriter& Zeros(size_t count) {
    bytes_.resize(bytes_.size() + count);
    return *this;
  }

  // Overwrites four bytes written before. REQUIRES: offset + 4 <= size().
  void PatchU32(size_t offset, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) {
      bytes_[offset + i] = std::byte(value >> 8 * i);
    }
  }
  // Sets the byte at `at` so that [first, last) sums to zero modulo 256.
  // REQUIRES: first <= at < last <= size().
  void PatchChecksum(size_t at, size_t first, size_t last) {
    bytes_[at] = std::byte{0};
    uint8_t sum = 0;
    for (size_t i = first; i < last; ++i) sum += uint8_t(bytes_[i]);
    bytes_[at] = std::byte(-sum);
  }

  size_t size() const { return bytes_.size(); }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  TableWriter& Integer(uint64_t value, size_t width) {
    static_assert(std::endian::native == std::endian::little);
    const size_t at = bytes_.size();
    bytes_.resize(at + width);
    std::memcpy(bytes_.data() + at, &value, width);
    return *this;
  }

  std::vector<std::byte> bytes_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_TABLE_WRITER_H_
