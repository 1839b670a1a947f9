// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KCONFIG_PARSE_H_
#define KTSTR_KCONFIG_PARSE_H_

#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kconfig {

// The options of a kernel configuration, as `.config` or a fragment states
// them.
//
// Shape: names without the CONFIG_ prefix; values as written ("y", "m", "250",
//        "\"text\""), "n" for "# CONFIG_X is not set". The last line wins.
class Kconfig {
 public:
  // Reads the text of a `.config`, a fragment or /proc/config.gz unpacked.
  //
  // Trust:  any bytes; at most 16 MiB.
  // Errors: InvalidArgument with the number of the first line that is neither
  //         empty, a comment nor an option.
  static absl::StatusOr<Kconfig> Parse(absl::string_view text);

  // The value; "n" when the option is not mentioned at all, which is what a
  // `.config` means by silence.
  absl::string_view Get(absl::string_view option) const;

  // Built in.
  bool IsBuiltIn(absl::string_view option) const { return Get(option) == "y"; }
  // Built in or a module.
  bool IsOn(absl::string_view option) const {
    return Get(option) == "y" || Get(option) == "m";
  }

  // Every option mentioned, sorted by name.
  const std::map<std::string, std::string, std::less<>>& options() const {
    return options_;
  }

  void Set(absl::string_view option, absl::string_view value);

 private:
  std::map<std::string, std::string, std::less<>> options_;
};

}  // namespace ktstr::kconfig

#endif  // KTSTR_KCONFIG_PARSE_H_
