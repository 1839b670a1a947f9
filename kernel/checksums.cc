// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/checksums.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/subprocess.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kDigits = 64;
constexpr uint64_t kMaxBytes = uint64_t{16} << 20;

// Of a tarball's name, spelled as TarballName() does.
std::optional<KernelVersion> VersionOf(absl::string_view file_name) {
  absl::string_view text = file_name;
  if (!absl::ConsumePrefix(&text, "linux-") ||
      !absl::ConsumeSuffix(&text, ".tar.xz")) {
    return std::nullopt;
  }
  auto version = KernelVersion::Parse(text);
  if (!version.ok() || version->minor < 0 ||
      TarballName(*version) != file_name) {
    return std::nullopt;
  }
  return *version;
}

}  // namespace

Checksums Checksums::Parse(absl::string_view text) {
  Checksums checksums;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripTrailingAsciiWhitespace(line);
    if (line.size() <= kDigits + 2 || line[kDigits] != ' ' ||
        !IsSha256Hex(line.substr(0, kDigits))) {
      continue;
    }
    // "  name", or " *name" of a binary file.
    checksums.sums_.emplace(line.substr(kDigits + 2), line.substr(0, kDigits));
  }
  return checksums;
}

std::optional<std::string> Checksums::Find(absl::string_view file_name) const {
  auto it = sums_.find(file_name);
  if (it == sums_.end()) return std::nullopt;
  return it->second;
}

std::optional<KernelVersion> Checksums::Newest(
    const KernelVersion& series) const {
  std::optional<KernelVersion> newest;
  for (const auto& [name, sum] : sums_) {
    const std::optional<KernelVersion> version = VersionOf(name);
    if (version && series.Covers(*version) && (!newest || *newest < *version)) {
      newest = version;
    }
  }
  return newest;
}

std::string TarballName(const KernelVersion& version) {
  KernelVersion named = version;
  if (named.patch == 0) named.patch = -1;  // the first release of a series
  return absl::StrCat("linux-", named.ToString(),
                      version.rc < 0 ? ".tar.xz" : ".tar.gz");
}

absl::StatusOr<std::string> VerifySignature(const std::string& signed_path,
                                            const std::string& keyring) {
  const std::string content_path = signed_path + ".content";
  CommandSpec command;
  // gpgv looks for a keyring without a slash in a directory of its own.
  command.argv = {"gpgv",
                  "--keyring",
                  keyring.find('/') == keyring.npos ? "./" + keyring : keyring,
                  "--output",
                  content_path,
                  signed_path};
  command.extra_env = {"LC_ALL=C"};
  absl::StatusOr<CommandOutput> output = RunCommand(command, absl::Minutes(1));
  if (!output.ok()) {
    return absl::UnavailableError(absl::StrCat(
        "gpgv (package gpgv) cannot be run: ", output.status().message()));
  }
  if (!output->exit.ok()) {
    return absl::PermissionDeniedError(
        absl::StrCat("its signature is not one of a key in ", keyring, ": ",
                     absl::StripAsciiWhitespace(output->err)));
  }
  return ReadFile(content_path, kMaxBytes);
}

}  // namespace ktstr::kernel
