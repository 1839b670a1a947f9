// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_SPEC_H_
#define KTSTR_KERNEL_SPEC_H_

#include <compare>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::kernel {

// A kernel's number: "6", "6.12", "6.12.117", "6.13-rc2".
//
// Shape: minor is -1 for every series of a major number ("6"), patch for a
//        series ("6.12"); rc is -1 for a release. A release candidate sorts
//        below its release, a series below its patches.
struct KernelVersion {
  int major = 0;
  int minor = -1;
  int patch = -1;
  int rc = -1;

  // Errors: InvalidArgument, naming the accepted form.
  static absl::StatusOr<KernelVersion> Parse(absl::string_view text);

  std::string ToString() const;
  bool is_series() const { return patch < 0 && rc < 0; }
  // Whether `this` (maybe a series) covers `other`: 6 and 6.12 cover 6.12.117.
  bool Covers(const KernelVersion& other) const;

  std::strong_ordering operator<=>(const KernelVersion& other) const;
  bool operator==(const KernelVersion& other) const = default;
};

// What a person may write for `--kernel`.
struct KernelSpec {
  enum class Form {
    kUnspecified = 0,
    kGit,       // git+URL#REF
    kRange,     // A..B, both versions
    kPath,      // holds '/', or starts with '.' or '~'
    kPackage,   // deb:linux-source-M.m
    kVersion,   // M.m.p or M.m-rcN
    kPrefix,    // M.m or M: the newest kernel of the series
    kCacheKey,  // anything else
  };

  Form form = Form::kUnspecified;
  std::string text;              // as written
  std::string path;              // kPath, with a leading ~ replaced by $HOME
  KernelVersion version;         // kVersion, kPrefix; kPackage: its series
  std::string git_url, git_ref;  // kGit
  KernelVersion range_low, range_high;  // kRange, inclusive
};

// Reads a spec; the forms are tried in the order of the enum.
//
// Errors: InvalidArgument for an empty spec, a git form without a ref, a range
//         whose side is no version or whose ends are inverted, a cache key with
//         characters that no key has.
absl::StatusOr<KernelSpec> ParseKernelSpec(absl::string_view text);

// "kernel_" + lower case, every run of other characters one '_', none at the
// end: the form a label has in names of variants.
std::string SanitiseLabel(absl::string_view text);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_SPEC_H_
