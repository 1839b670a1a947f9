// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/key_filter.h"

namespace ktstr::ktstrctl {
namespace {

constexpr char kPrefix = '\x01';  // Ctrl-A

}  // namespace

KeyFilter::Result KeyFilter::Feed(absl::string_view typed) {
  Result result;
  for (char key : typed) {
    if (!has_prefix_ && key == kPrefix) {
      has_prefix_ = true;
      continue;
    }
    if (has_prefix_ && (key == 'x' || key == 'X')) {
      result.wants_to_leave = true;
      return result;
    }
    if (has_prefix_ && key != kPrefix) result.for_guest.push_back(kPrefix);
    has_prefix_ = false;
    result.for_guest.push_back(key);
  }
  return result;
}

}  // namespace ktstr::ktstrctl
