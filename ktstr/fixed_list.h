// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_FIXED_LIST_H_
#define KTSTR_KTSTR_FIXED_LIST_H_

#include <array>
#include <cstddef>
#include <initializer_list>

namespace ktstr {

// A list with inline storage, so that declarations are constants. More than N
// elements do not compile (or abort, outside of a constant).
template <typename T, size_t N>
class FixedList {
 public:
  constexpr FixedList() = default;
  constexpr FixedList(std::initializer_list<T> items) {
    for (const T& item : items) Append(item);
  }

  constexpr void Append(const T& item) {
    if (size_ == N) TooManyElements();
    items_[size_++] = item;
  }

  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const T& operator[](size_t i) const { return items_[i]; }

  constexpr bool Contains(const T& wanted) const {
    for (const T& item : *this) {
      if (item == wanted) return true;
    }
    return false;
  }

 private:
  // Not constexpr: a constant that comes here does not compile, and the name is
  // in the error.
  [[noreturn]] static void TooManyElements() { __builtin_abort(); }

  std::array<T, N> items_{};
  size_t size_ = 0;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_FIXED_LIST_H_
