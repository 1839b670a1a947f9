// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_STYLE_H_
#define KTSTR_RESULTS_STYLE_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ktstr::results {

// The terminal attributes that results use. None without `has_colour`.
enum class Tone { kPlain = 0, kBold, kGood, kBad, kWarn, kDim };

inline std::string Styled(bool has_colour, Tone tone, absl::string_view text) {
  constexpr absl::string_view kCodes[] = {"", "1", "32", "1;31", "33", "2"};
  absl::string_view code = kCodes[static_cast<int>(tone)];
  if (!has_colour || code.empty()) return std::string(text);
  return absl::StrCat("\x1b[", code, "m", text, "\x1b[0m");
}

// Of a v1::Outcome.
Tone ToneOf(int outcome);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_STYLE_H_
