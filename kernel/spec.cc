// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/spec.h"

#include <stdlib.h>

#include <limits>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "kernel/cache_key.h"

namespace ktstr::kernel {
namespace {

constexpr int kMaxNumber = 99999;
constexpr absl::string_view kPackageScheme = "deb:";
constexpr absl::string_view kPackagePrefix = "linux-source-";

// Consumes a decimal number without sign from the front of `text`.
bool ConsumeNumber(absl::string_view& text, int& number) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
  if (digits == 0 || digits > 5 ||
      !absl::SimpleAtoi(text.substr(0, digits), &number) ||
      number > kMaxNumber) {
    return false;
  }
  text.remove_prefix(digits);
  return true;
}

absl::Status NotAVersion(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text,
      "\" is no kernel version: accepted are 6, 6.12, 6.12.117 and 6.13-rc2"));
}

absl::StatusOr<KernelSpec> ParseGit(absl::string_view text) {
  absl::string_view rest = absl::StripPrefix(text, "git+");
  size_t hash = rest.rfind('#');
  if (hash == absl::string_view::npos || hash == 0 || hash + 1 == rest.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel \"", text, "\": the git form is git+URL#REF, both not empty"));
  }
  KernelSpec spec;
  spec.form = KernelSpec::Form::kGit;
  spec.git_url = std::string(rest.substr(0, hash));
  spec.git_ref = std::string(rest.substr(hash + 1));
  return spec;
}

absl::StatusOr<KernelSpec> ParseRange(absl::string_view text, size_t dots) {
  KernelSpec spec;
  spec.form = KernelSpec::Form::kRange;
  std::string context = absl::StrCat("kernel range \"", text, "\"");
  auto low = KernelVersion::Parse(text.substr(0, dots));
  ABSL_RETURN_IF_ERROR(Annotate(low.status(), context));
  auto high = KernelVersion::Parse(text.substr(dots + 2));
  ABSL_RETURN_IF_ERROR(Annotate(high.status(), context));
  if (*high < *low) {
    return absl::InvalidArgumentError(
        absl::StrCat(context, ": the first version must not be the newer one"));
  }
  spec.range_low = *low;
  spec.range_high = *high;
  return spec;
}

absl::StatusOr<KernelSpec> ParsePackage(absl::string_view text) {
  absl::string_view series = absl::StripPrefix(text, kPackageScheme);
  KernelSpec spec;
  spec.form = KernelSpec::Form::kPackage;
  if (absl::ConsumePrefix(&series, kPackagePrefix)) {
    auto version = KernelVersion::Parse(series);
    if (version.ok() && version->is_series() && version->minor >= 0) {
      spec.version = *version;
      return spec;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("kernel \"", text,
                   "\": the package form is deb:linux-source-6.12, a package "
                   "with the source of one series"));
}

KernelSpec PathSpec(absl::string_view text) {
  KernelSpec spec;
  spec.form = KernelSpec::Form::kPath;
  spec.path = std::string(text);
  const char* home = getenv("HOME");
  if (home != nullptr && (text == "~" || absl::StartsWith(text, "~/"))) {
    spec.path = absl::StrCat(home, text.substr(1));
  }
  return spec;
}

absl::StatusOr<KernelSpec> ParseForm(absl::string_view text) {
  if (absl::StartsWith(text, "git+")) return ParseGit(text);
  if (absl::StartsWith(text, kPackageScheme)) return ParsePackage(text);
  bool is_path =
      absl::StrContains(text, '/') || text[0] == '.' || text[0] == '~';
  size_t dots = text.find("..");
  if (dots != absl::string_view::npos && !is_path) {
    return ParseRange(text, dots);
  }
  if (is_path) return PathSpec(text);
  KernelSpec spec;
  if (auto version = KernelVersion::Parse(text); version.ok()) {
    spec.form = version->is_series() ? KernelSpec::Form::kPrefix
                                     : KernelSpec::Form::kVersion;
    spec.version = *version;
    return spec;
  }
  if (!IsCacheKey(text)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "kernel \"", text,
        "\" is no path, version (6.12.117), series (6.12 or 6), package "
        "(deb:linux-source-6.12) or cache key"));
  }
  spec.form = KernelSpec::Form::kCacheKey;
  return spec;
}

}  // namespace

absl::StatusOr<KernelVersion> KernelVersion::Parse(absl::string_view text) {
  absl::string_view rest = text;
  KernelVersion version;
  if (!ConsumeNumber(rest, version.major)) return NotAVersion(text);
  if (rest.empty()) return version;
  if (!absl::ConsumePrefix(&rest, ".") || !ConsumeNumber(rest, version.minor)) {
    return NotAVersion(text);
  }
  if (absl::ConsumePrefix(&rest, ".") && !ConsumeNumber(rest, version.patch)) {
    return NotAVersion(text);
  }
  if (absl::ConsumePrefix(&rest, "-rc") && !ConsumeNumber(rest, version.rc)) {
    return NotAVersion(text);
  }
  if (!rest.empty()) return NotAVersion(text);
  return version;
}

std::string KernelVersion::ToString() const {
  return absl::StrCat(major, minor < 0 ? "" : absl::StrCat(".", minor),
                      patch < 0 ? "" : absl::StrCat(".", patch),
                      rc < 0 ? "" : absl::StrCat("-rc", rc));
}

bool KernelVersion::Covers(const KernelVersion& other) const {
  if (is_series()) {
    return major == other.major && (minor < 0 || minor == other.minor);
  }
  return *this == other;
}

std::strong_ordering KernelVersion::operator<=>(
    const KernelVersion& other) const {
  // A release follows all of its candidates.
  auto rank = [](const KernelVersion& version) {
    return std::make_tuple(
        version.major, version.minor, version.patch,
        version.rc < 0 ? std::numeric_limits<int>::max() : version.rc);
  };
  return rank(*this) <=> rank(other);
}

absl::StatusOr<KernelSpec> ParseKernelSpec(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) {
    return absl::InvalidArgumentError(
        "the kernel is empty: accepted are a path, a version, a series or a "
        "cache key");
  }
  ABSL_ASSIGN_OR_RETURN(KernelSpec spec, ParseForm(text));
  spec.text = std::string(text);
  return spec;
}

std::string SanitiseLabel(absl::string_view text) {
  std::string label = "kernel";
  bool is_gap = true;
  for (char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      is_gap = true;
      continue;
    }
    if (is_gap) label += '_';
    is_gap = false;
    label += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return label;
}

}  // namespace ktstr::kernel
