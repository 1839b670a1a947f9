// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_CLOSE_NAMES_H_
#define KTSTR_GAUNTLET_CLOSE_NAMES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace ktstr::gauntlet {

// Names somebody may have meant by `wanted`: within an edit distance of a third
// of its length (at least 2), or containing it; closest first, at most `limit`.
// Texts longer than 128 bytes are never close.
std::vector<std::string> CloseNames(absl::string_view wanted,
                                    absl::Span<const std::string> names,
                                    size_t limit = 3);

// " (did you mean a, b?)", or empty when nothing is close.
std::string DidYouMean(absl::string_view wanted,
                       absl::Span<const std::string> names);

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_CLOSE_NAMES_H_
