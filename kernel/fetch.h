// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_FETCH_H_
#define KTSTR_KERNEL_FETCH_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace ktstr::kernel {

struct FetchRequest {
  std::string program;  // path of ktstr_fetch; "" when this machine has none
  std::string url;
  std::string path;  // see Download of kernel/http.h
  uint64_t max_bytes = uint64_t{1} << 30;
  bool resume = false;
  int cancel_fd = -1;  // borrowed; -1: never
  // `total` is 0 while unknown. Ten times a second; may be empty.
  std::function<void(uint64_t done, uint64_t total)> on_progress;
};

// GetFile() of kernel/http.h in a process of its own. The program ends with its
// caller.
//
// Format: lines on its standard output, "progress DONE TOTAL" and, last, "error
//         CODE SENTENCE" with the number of an absl::StatusCode.
// Errors: those of GetFile(); Unavailable also without a program.
absl::Status Fetch(const FetchRequest& request);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_FETCH_H_
