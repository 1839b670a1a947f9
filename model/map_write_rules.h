// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Which writes into BPF maps a test may declare: one rule, checked where
// scheduler_rules.h is.
#ifndef KTSTR_MODEL_MAP_WRITE_RULES_H_
#define KTSTR_MODEL_MAP_WRITE_RULES_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ktstr {

inline constexpr size_t kMaxMapWrites = 16;

// Bytes of a name in the kernel (BPF_OBJ_NAME_LEN, with its NUL).
inline constexpr size_t kMaxMapName = 15;

// Characters that the kernel accepts in a name (kernel/bpf/syscall.c,
// bpf_obj_name_cpy).
constexpr bool IsMapNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.';
}

// Why no name of a map can end so, as the end of a sentence that begins with
// the suffix; nullptr when one can.
constexpr const char* MapSuffixProblem(std::string_view suffix) {
  if (suffix.empty()) return "is empty";
  if (suffix.size() > kMaxMapName) {
    return "is longer than 15 bytes, which is all that the kernel keeps";
  }
  for (char c : suffix) {
    if (!IsMapNameCharacter(c)) {
      return "has characters other than letters, digits, '_' and '.'";
    }
  }
  return nullptr;
}

// The same of an offset in bytes.
constexpr const char* MapOffsetProblem(uint32_t offset) {
  return offset % 4 == 0 ? nullptr : "is no multiple of 4";
}

}  // namespace ktstr

#endif  // KTSTR_MODEL_MAP_WRITE_RULES_H_
