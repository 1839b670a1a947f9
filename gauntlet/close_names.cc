// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/close_names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ktstr::gauntlet {
namespace {

constexpr size_t kLongestCompared = 128;

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> CloseNames(absl::string_view wanted,
                                    absl::Span<const std::string> names,
                                    size_t limit) {
  if (wanted.empty() || wanted.size() > kLongestCompared) return {};
  const size_t near = std::max<size_t>(2, wanted.size() / 3);
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& name : names) {
    if (name.size() > kLongestCompared) continue;
    size_t distance = EditDistance(wanted, name);
    if (distance <= near || absl::StrContains(name, wanted)) {
      ranked.emplace_back(distance, name);
    }
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.erase(std::unique(ranked.begin(), ranked.end()), ranked.end());
  std::vector<std::string> close;
  for (size_t i = 0; i < std::min(limit, ranked.size()); ++i) {
    close.push_back(std::move(ranked[i].second));
  }
  return close;
}

std::string DidYouMean(absl::string_view wanted,
                       absl::Span<const std::string> names) {
  std::vector<std::string> close = CloseNames(wanted, names);
  if (close.empty()) return "";
  return absl::StrCat(" (did you mean ", absl::StrJoin(close, ", "), "?)");
}

}  // namespace ktstr::gauntlet
