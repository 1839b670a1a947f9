// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/printable.h"

#include "absl/strings/ascii.h"

namespace ktstr::guestd {

std::string PrintableLine(absl::string_view text, size_t max_bytes) {
  std::string line(text.substr(0, max_bytes));
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  absl::StripAsciiWhitespace(&line);
  return line;
}

}  // namespace ktstr::guestd
