// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_BPF_MAP_WRITE_H_
#define KTSTR_KTSTR_BPF_MAP_WRITE_H_

#include <cstdint>
#include <string_view>

#include "model/map_write_rules.h"

namespace ktstr {

// A write into a global variable of the scheduler under test, or into another
// array map of it: done once it is attached, before the test's body begins, and
// in the order of declaration. What of it cannot be done ends the test as
// ERROR.
struct BpfMapWrite {
  // The map whose name ends so, of those that the scheduler's BPF programs use:
  // ".bss", ".data", or a name of the author's. Exactly one has to.
  std::string_view map;
  // In bytes, a multiple of 4, in the map's first value. Of a global variable,
  // offsetof() in the skeleton's struct says it.
  uint32_t offset = 0;
  uint32_t value = 0;
};

namespace internal {

constexpr bool IsMapWrite(const BpfMapWrite& write) {
  return MapSuffixProblem(write.map) == nullptr &&
         MapOffsetProblem(write.offset) == nullptr;
}

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_BPF_MAP_WRITE_H_
