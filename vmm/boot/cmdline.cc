// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/boot/cmdline.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace ktstr::vmm {

Cmdline& Cmdline::Add(absl::string_view arguments) {
  arguments = absl::StripAsciiWhitespace(arguments);
  if (arguments.empty()) return *this;
  absl::StrAppend(&text_, text_.empty() ? "" : " ", arguments);
  return *this;
}

Cmdline& Cmdline::AddForKernel(absl::string_view arguments) {
  // Words are separated by white space, of which ours is one space.
  const std::string words = absl::StrCat(" ", text_, " ");
  const size_t init = words.find(" -- ");
  if (init == std::string::npos) return Add(arguments);
  const std::string for_init = text_.substr(init);
  text_.resize(init == 0 ? 0 : init - 1);
  return Add(arguments).Add(for_init);
}

absl::StatusOr<std::string> Cmdline::Build() const {
  size_t bad = text_.find_first_of("\0\n\r", 0, 3);
  if (bad != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel command line: byte ", bad,
                     " is a NUL or a line end; only one line of text is "
                     "accepted"));
  }
  return text_;
}

}  // namespace ktstr::vmm
