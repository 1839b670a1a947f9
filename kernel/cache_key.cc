// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/cache_key.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kMaxKeyBytes = 200;

}  // namespace

bool IsCacheKey(absl::string_view key) {
  return !key.empty() && key.size() <= kMaxKeyBytes && key[0] != '.' &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::StrContains("._+-", c);
         });
}

}  // namespace ktstr::kernel
