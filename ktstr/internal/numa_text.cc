// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/numa_text.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "ktstr/memory_policy.h"

namespace ktstr::internal {
namespace {

using Words = std::vector<absl::string_view>;

bool IsHexadecimal(absl::string_view text) {
  uint64_t value = 0;
  return absl::SimpleHexAtoi(text, &value);
}

// "N1=42".
void AddToken(absl::string_view token, std::map<int, uint64_t>& pages) {
  if (!absl::ConsumePrefix(&token, "N")) return;
  Words sides = absl::StrSplit(token, absl::MaxSplits('=', 1));
  int node = 0;
  uint64_t count = 0;
  if (sides.size() != 2 || !absl::SimpleAtoi(sides[0], &node) ||
      !absl::SimpleAtoi(sides[1], &count) || node < 0 ||
      node >= MemPolicy::kMaxNodes) {
    return;
  }
  pages[node] += count;
}

}  // namespace

std::map<int, uint64_t> ParseNumaMaps(absl::string_view text) {
  std::map<int, uint64_t> pages;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.empty() || !IsHexadecimal(words[0])) continue;
    // The policy, [1], is no token.
    for (size_t i = 2; i < words.size(); ++i) AddToken(words[i], pages);
  }
  return pages;
}

std::optional<uint64_t> ParsePagesMigrated(absl::string_view text) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    uint64_t pages = 0;
    if (absl::ConsumePrefix(&line, "numa_pages_migrated ") &&
        absl::SimpleAtoi(line, &pages)) {
      return pages;
    }
  }
  return std::nullopt;
}

}  // namespace ktstr::internal
