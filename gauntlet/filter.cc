// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/filter.h"

#include <fnmatch.h>

#include "absl/strings/str_cat.h"
#include "gauntlet/close_names.h"

namespace ktstr::gauntlet {
namespace {

bool Matches(const std::string& pattern, const std::string& name) {
  return pattern == name || fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

Filter::Filter(absl::Span<const std::string> patterns) {
  for (const std::string& pattern : patterns) {
    patterns_.push_back({.text = pattern});
  }
}

bool Filter::Wants(const std::string& test, const std::string& variant,
                   bool is_ignored_by_default) {
  if (patterns_.empty()) return !is_ignored_by_default;
  bool is_wanted = false;
  for (Pattern& pattern : patterns_) {
    bool is_spelled_out = pattern.text == test || pattern.text == variant;
    if (!is_spelled_out && !Matches(pattern.text, test) &&
        !Matches(pattern.text, variant)) {
      continue;
    }
    if (is_ignored_by_default && !is_spelled_out) {
      pattern.ignored_test = test;
      continue;
    }
    pattern.has_matched = true;
    is_wanted = true;
  }
  return is_wanted;
}

absl::Status Filter::CheckEveryPatternMatched(
    absl::Span<const std::string> names) const {
  for (const Pattern& pattern : patterns_) {
    if (pattern.has_matched) continue;
    if (!pattern.ignored_test.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "filter \"", pattern.text, "\" matches only tests that are ignored ",
          "by default, such as ", pattern.ignored_test,
          "; spell the name out to run it"));
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "filter \"", pattern.text, "\" matches no test and no variant",
        DidYouMean(pattern.text, names),
        "; accepted are shell globs over test and variant names"));
  }
  return absl::OkStatus();
}

}  // namespace ktstr::gauntlet
