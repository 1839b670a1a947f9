// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/parse.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace ktstr::kconfig {
namespace {

constexpr size_t kMaxTextBytes = size_t{16} << 20;
constexpr absl::string_view kPrefix = "CONFIG_";
constexpr absl::string_view kNotSet = " is not set";

bool IsOptionName(absl::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
}

// "# CONFIG_X is not set" names X; any other comment names nothing.
absl::string_view OptionTurnedOff(absl::string_view comment) {
  comment = absl::StripLeadingAsciiWhitespace(comment.substr(1));
  if (!absl::ConsumePrefix(&comment, kPrefix) ||
      !absl::ConsumeSuffix(&comment, kNotSet) || !IsOptionName(comment)) {
    return "";
  }
  return comment;
}

}  // namespace

absl::StatusOr<Kconfig> Kconfig::Parse(absl::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("kernel configuration of ", text.size(),
                     " bytes: at most 16 MiB are accepted"));
  }
  Kconfig config;
  for (size_t begin = 0, number = 1; begin < text.size(); ++number) {
    size_t end = std::min(text.find('\n', begin), text.size());
    absl::string_view line =
        absl::StripAsciiWhitespace(text.substr(begin, end - begin));
    begin = end + 1;
    if (line.empty()) continue;
    if (line[0] == '#') {
      absl::string_view option = OptionTurnedOff(line);
      if (!option.empty()) config.Set(option, "n");
      continue;
    }
    size_t equals = line.find('=');
    absl::string_view option = line.substr(0, equals);
    if (equals == absl::string_view::npos || equals + 1 == line.size() ||
        !absl::ConsumePrefix(&option, kPrefix) || !IsOptionName(option)) {
      return absl::InvalidArgumentError(
          absl::StrCat("kernel configuration line ", number, ": \"",
                       line.substr(0, 80), "\" is not CONFIG_NAME=VALUE"));
    }
    config.Set(option, line.substr(equals + 1));
  }
  return config;
}

absl::string_view Kconfig::Get(absl::string_view option) const {
  auto it = options_.find(option);
  return it == options_.end() ? absl::string_view("n") : it->second;
}

void Kconfig::Set(absl::string_view option, absl::string_view value) {
  options_.insert_or_assign(std::string(option), std::string(value));
}

}  // namespace ktstr::kconfig
