// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_KEY_FILTER_H_
#define KTSTR_KTSTRCTL_KEY_FILTER_H_

#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::ktstrctl {

// Finds the keys that are meant for us among those typed to a guest: Ctrl-A x
// (or X) leaves, Ctrl-A Ctrl-A is one Ctrl-A for the guest, and Ctrl-A with any
// other key goes to the guest as it was typed.
//
// Threads: passive.
class KeyFilter {
 public:
  struct Result {
    std::string for_guest;
    // Leave; nothing behind it counts.
    bool wants_to_leave = false;
  };
  // Keys may come in pieces of any size.
  Result Feed(absl::string_view typed);

 private:
  bool has_prefix_ = false;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_KEY_FILTER_H_
