// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/cycle_collapse.h"

// A log becomes shorter by whole lines and says so, or stays as it is.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  absl::string_view log(reinterpret_cast<const char*>(data), size);
  const std::string collapsed = ktstr::CollapseCycles(log);
  if (collapsed == log) return 0;
  if (std::count(collapsed.begin(), collapsed.end(), '\n') + 2 >
      std::count(log.begin(), log.end(), '\n')) {
    __builtin_trap();
  }
  if (!absl::StrContains(collapsed, " left out; the last time: ---\n")) {
    __builtin_trap();
  }
  return 0;
}
