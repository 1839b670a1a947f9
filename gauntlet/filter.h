// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_FILTER_H_
#define KTSTR_GAUNTLET_FILTER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace ktstr::gauntlet {

// Which variants a submission wants. A pattern is a shell glob (`*`, `?`, `[]`;
// `*` also crosses '/') that must match a whole test name or a whole variant
// name. Without patterns everything is wanted but tests ignored by default;
// those are wanted only by a pattern that spells their name or their variant's
// name out.
class Filter {
 public:
  explicit Filter(absl::Span<const std::string> patterns);

  // Whether the variant is wanted. Remembers which patterns matched.
  bool Wants(const std::string& test, const std::string& variant,
             bool is_ignored_by_default);

  // Errors:
  //   InvalidArgument  a pattern matched nothing so far; the message names it
  //                    and, from `names`, what is close.
  absl::Status CheckEveryPatternMatched(
      absl::Span<const std::string> names) const;

 private:
  struct Pattern {
    std::string text;
    bool has_matched = false;
    // A test it would have matched but which is ignored by default.
    std::string ignored_test;
  };
  std::vector<Pattern> patterns_;
};

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_FILTER_H_
