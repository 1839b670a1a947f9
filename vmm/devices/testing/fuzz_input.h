// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_TESTING_FUZZ_INPUT_H_
#define KTSTR_VMM_DEVICES_TESTING_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ktstr::vmm::testing {

// The bytes of one fuzzed input as a sequence of values. Little-endian, zeros
// after the last byte: what is stored as a corpus keeps its meaning.
class FuzzInput {
 public:
  FuzzInput(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool empty() const { return size_ == 0; }

  template <typename T>
  T Take() {
    T value{};
    const size_t n = std::min(sizeof(T), size_);
    std::memcpy(&value, data_, n);
    data_ += n;
    size_ -= n;
    return value;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

}  // namespace ktstr::vmm::testing

#endif  // KTSTR_VMM_DEVICES_TESTING_FUZZ_INPUT_H_
