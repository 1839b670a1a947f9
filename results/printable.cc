// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/printable.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace ktstr::results {
namespace {

// Length of the valid UTF-8 sequence at the start of `text`, 0 if none; its
// character in `rune`.
size_t DecodeUtf8(absl::string_view text, uint32_t& rune) {
  auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char lead = byte(0);
  if (lead < 0x80) {
    rune = lead;
    return 1;
  }
  size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  rune = lead & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    rune = rune << 6 | (byte(i) & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool is_surrogate = rune >= 0xD800 && rune <= 0xDFFF;
  if (rune < kSmallest[length] || rune > 0x10FFFF || is_surrogate) return 0;
  return length;
}

// Characters that steer a terminal or reorder text.
bool IsUnsafe(uint32_t rune) {
  if (rune < 0x20) return rune != '\n' && rune != '\t';
  return (rune >= 0x7F && rune <= 0x9F) || (rune >= 0x200E && rune <= 0x200F) ||
         (rune >= 0x2028 && rune <= 0x202E) ||
         (rune >= 0x2066 && rune <= 0x2069) || rune == 0xFEFF;
}

// Where the character that holds byte `at` begins. REQUIRES: at < text.size().
size_t CharacterStart(absl::string_view text, size_t at) {
  size_t start = at;
  while (start > 0 && at - start < 3 && (text[start] & 0xC0) == 0x80) --start;
  return start;
}

}  // namespace

std::string Printable(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    uint32_t rune = 0;
    size_t length = DecodeUtf8(text, rune);
    if (length == 0) {
      absl::StrAppendFormat(&out, "\\x%02x",
                            static_cast<unsigned char>(text[0]));
      length = 1;
    } else if (rune == '\r' && text.size() > 1 && text[1] == '\n') {
      // A line end of two bytes.
    } else if (!IsUnsafe(rune)) {
      out.append(text.data(), length);
    } else if (rune < 0x80) {
      absl::StrAppendFormat(&out, "\\x%02x", rune);
    } else {
      absl::StrAppendFormat(&out, "\\u{%x}", rune);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string PrintableLine(absl::string_view text, size_t max_bytes) {
  // Cut before the costly part: an escape takes up to ten bytes for one.
  bool is_cut = text.size() > max_bytes;
  if (is_cut) text = text.substr(0, CharacterStart(text, max_bytes));
  std::string line = Printable(text);
  for (char& c : line) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  line = std::string(absl::StripAsciiWhitespace(line));
  if (line.size() > max_bytes) {
    is_cut = true;
    line.resize(CharacterStart(line, max_bytes));
  }
  return is_cut ? line + "..." : line;
}

std::vector<std::string> LastLines(absl::string_view text, int count) {
  std::vector<absl::string_view> raw = absl::StrSplit(text, '\n');
  while (!raw.empty() && absl::StripAsciiWhitespace(raw.back()).empty()) {
    raw.pop_back();
  }
  size_t first = 0;
  if (count >= 0 && raw.size() > static_cast<size_t>(count)) {
    first = raw.size() - count;
  }
  std::vector<std::string> lines;
  for (size_t i = first; i < raw.size(); ++i) {
    absl::string_view line = raw[i];
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(Printable(line.substr(0, 4096)));
  }
  return lines;
}

std::string ShortDuration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "?";
  if (seconds < 9.995) return absl::StrFormat("%.2f s", seconds);
  if (seconds < 99.95) return absl::StrFormat("%.1f s", seconds);
  int64_t whole = std::llround(std::min(seconds, 1e12));
  if (whole < 3600) return absl::StrFormat("%dm %02ds", whole / 60, whole % 60);
  return absl::StrFormat("%dh %02dm", whole / 3600, whole / 60 % 60);
}

}  // namespace ktstr::results
