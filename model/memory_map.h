// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_MODEL_MEMORY_MAP_H_
#define KTSTR_MODEL_MEMORY_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr {

// A stretch of a guest's RAM and where it lies in a file of the host.
struct MappedRam {
  uint64_t start = 0;  // guest-physical
  uint64_t size_bytes = 0;
  // Which of the files that come with the map.
  int file = 0;
  uint64_t file_offset = 0;
};

// Longest text of a map.
inline constexpr size_t kMaxMemoryMapBytes = 64 << 10;

// What vmm tells its owner of the guest's RAM (MachineSpec::shares_memory).
//
// Shape: {"ram": [[start, size_bytes, file, file_offset], ...]}, one line.
//        Ascending by start, without overlap; numbers are multiples of 4,096.
std::string FormatMemoryMap(const std::vector<MappedRam>& ram);

// Errors: InvalidArgument for anything that is not such a map of `files` files.
absl::StatusOr<std::vector<MappedRam>> ParseMemoryMap(absl::string_view text,
                                                      int files);

}  // namespace ktstr

#endif  // KTSTR_MODEL_MEMORY_MAP_H_
