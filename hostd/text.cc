// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/text.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace ktstr::hostd {

std::string PrintableText(absl::string_view bytes, size_t max_bytes) {
  bytes = absl::StripAsciiWhitespace(bytes);
  bool is_cut = bytes.size() > max_bytes;
  std::string text(bytes.substr(0, max_bytes));
  for (char& c : text) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  if (is_cut) absl::StrAppend(&text, "...");
  return text;
}

void TailBuffer::Append(absl::string_view bytes) {
  total_ += static_cast<int64_t>(bytes.size());
  if (bytes.size() >= max_bytes_) {
    kept_ = std::string(bytes.substr(bytes.size() - max_bytes_));
    return;
  }
  absl::StrAppend(&kept_, bytes);
  if (kept_.size() >= 2 * max_bytes_) {
    kept_.erase(0, kept_.size() - max_bytes_);
  }
}

absl::string_view TailBuffer::text() const {
  absl::string_view text = kept_;
  if (text.size() > max_bytes_) text.remove_prefix(text.size() - max_bytes_);
  return text;
}

}  // namespace ktstr::hostd
