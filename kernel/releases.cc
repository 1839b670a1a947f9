// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/releases.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace ktstr::kernel {
namespace {

using ::nlohmann::json;

constexpr size_t kMaxBytes = size_t{4} << 20;
constexpr size_t kMaxReleases = 1000;
constexpr int kTrustedPatches = 8;

absl::Status NoIndex(absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("the index of releases: ", why));
}

std::string TextOf(const json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::optional<Release> ReadRelease(const json& object) {
  if (!object.is_object()) return std::nullopt;
  const std::string moniker = TextOf(object, "moniker");
  if (moniker != "mainline" && moniker != "stable" && moniker != "longterm") {
    return std::nullopt;
  }
  auto version = KernelVersion::Parse(TextOf(object, "version"));
  if (!version.ok() || version->minor < 0) return std::nullopt;
  auto is_eol = object.find("iseol");
  return Release{.version = *version,
                 .is_mainline = moniker == "mainline",
                 .is_eol = is_eol != object.end() && is_eol->is_boolean() &&
                           is_eol->get<bool>()};
}

bool IsSameSeries(const KernelVersion& a, const KernelVersion& b) {
  return a.major == b.major && a.minor == b.minor;
}

}  // namespace

absl::StatusOr<ReleaseIndex> ReleaseIndex::Parse(absl::string_view text) {
  if (text.size() > kMaxBytes) return NoIndex("longer than 4 MiB");
  const json root = json::parse(text.begin(), text.end(), nullptr,
                                /*allow_exceptions=*/false);
  if (!root.is_object()) return NoIndex("not one JSON object");
  auto list = root.find("releases");
  if (list == root.end() || !list->is_array()) {
    return NoIndex("there is no list \"releases\"");
  }
  if (list->size() > kMaxReleases) return NoIndex("more than 1000 releases");
  ReleaseIndex index;
  for (const json& object : *list) {
    if (auto release = ReadRelease(object)) index.releases_.push_back(*release);
  }
  if (index.releases_.empty()) return NoIndex("it lists no release");
  std::sort(
      index.releases_.begin(), index.releases_.end(),
      [](const Release& a, const Release& b) { return a.version > b.version; });
  return index;
}

std::optional<KernelVersion> ReleaseIndex::Newest(
    const KernelVersion& wanted) const {
  for (const Release& release : releases_) {
    if (wanted.Covers(release.version)) return release.version;
  }
  return std::nullopt;
}

absl::StatusOr<KernelVersion> ReleaseIndex::Default() const {
  for (const Release& release : releases_) {
    if (!release.is_mainline && release.version.patch >= kTrustedPatches) {
      return release.version;
    }
  }
  return absl::NotFoundError(absl::StrCat("no stable or longterm release has ",
                                          kTrustedPatches,
                                          " patches: name a version"));
}

absl::StatusOr<std::vector<KernelVersion>> ReleaseIndex::Range(
    const KernelVersion& low, const KernelVersion& high) const {
  std::vector<KernelVersion> versions;
  for (const Release& release : releases_) {
    const KernelVersion& version = release.version;
    if (release.is_mainline || version < low ||
        (version > high && !high.Covers(version))) {
      continue;
    }
    versions.push_back(version);
  }
  if (versions.empty()) {
    return absl::NotFoundError(absl::StrCat(
        "no stable or longterm release lies in ", low.ToString(), "..",
        high.ToString(), " (kernel.org lists the newest of each series, from ",
        releases_.back().version.ToString(), " to ",
        releases_.front().version.ToString(), ")"));
  }
  std::reverse(versions.begin(), versions.end());
  return versions;
}

bool ReleaseIndex::IsEol(const KernelVersion& version) const {
  return std::none_of(
      releases_.begin(), releases_.end(), [&version](const Release& release) {
        return !release.is_eol && IsSameSeries(release.version, version);
      });
}

}  // namespace ktstr::kernel
