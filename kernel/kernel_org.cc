// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/kernel_org.h"

#include <stdlib.h>

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kernel/fetch.h"

namespace ktstr::kernel {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{4} << 20;
constexpr uint64_t kMaxSumsBytes = uint64_t{16} << 20;
constexpr uint64_t kMaxTarballBytes = uint64_t{1} << 30;

constexpr absl::string_view kIndexHost = "https://www.kernel.org";
constexpr absl::string_view kTarballHost = "https://cdn.kernel.org";
constexpr absl::string_view kCandidateHost = "https://git.kernel.org";

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : std::string(absl::StripAsciiWhitespace(value));
}

// The keyring a person keeps, if any.
std::string DefaultKeyring() {
  std::string dir = Environment("XDG_CONFIG_HOME");
  if (dir.empty()) dir = JoinPath(Environment("HOME"), ".config");
  const std::string path = JoinPath(dir, "ktstr/kernel.org.gpg");
  return FileExists(path) ? path : "";
}

}  // namespace

std::string DownloadLock(absl::string_view name) {
  return absl::StrCat("download-", name);
}

KernelOrg::KernelOrg(const KernelCache* cache, KernelOrgOptions options)
    : cache_(cache), options_(std::move(options)) {
  if (options_.base_url.empty()) {
    options_.base_url = Environment("KTSTR_KERNEL_ORG");
  }
  options_.base_url = std::string(absl::StripSuffix(options_.base_url, "/"));
  if (options_.keyring.empty()) {
    options_.keyring = Environment("KTSTR_KERNEL_KEYRING");
  }
  if (options_.keyring.empty()) options_.keyring = DefaultKeyring();
}

std::string KernelOrg::name() const {
  return options_.base_url.empty() ? "kernel.org" : options_.base_url;
}

std::string KernelOrg::TarballDir(int major) const {
  return absl::StrCat(options_.base_url.empty()
                          ? kTarballHost
                          : absl::string_view(options_.base_url),
                      "/pub/linux/kernel/v", major, ".x/");
}

absl::StatusOr<std::string> KernelOrg::GetText(const std::string& url,
                                               uint64_t max_bytes) const {
  ABSL_ASSIGN_OR_RETURN(WorkDir work, cache_->MakeWorkDir("index"));
  const std::string path = JoinPath(work.path(), "text");
  ABSL_RETURN_IF_ERROR(Fetch({.program = options_.fetch_program,
                              .url = url,
                              .path = path,
                              .max_bytes = max_bytes,
                              .cancel_fd = options_.cancel_fd}));
  return ReadFile(path, max_bytes);
}

absl::StatusOr<ReleaseIndex> KernelOrg::Index() const {
  const std::string url = absl::StrCat(
      options_.base_url.empty() ? kIndexHost
                                : absl::string_view(options_.base_url),
      "/releases.json");
  ABSL_ASSIGN_OR_RETURN(std::string text, GetText(url, kMaxIndexBytes));
  absl::StatusOr<ReleaseIndex> index = ReleaseIndex::Parse(text);
  ABSL_RETURN_IF_ERROR(Annotate(index.status(), url));
  return index;
}

absl::StatusOr<std::string> KernelOrg::SignedContent(const std::string& path,
                                                     bool& is_signed) const {
  is_signed = !options_.keyring.empty();
  if (!is_signed) return ReadFile(path, kMaxSumsBytes);
  if (!FileExists(options_.keyring)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the keyring ", options_.keyring,
                     " is not there (KTSTR_KERNEL_KEYRING)"));
  }
  return VerifySignature(path, options_.keyring);
}

absl::StatusOr<Checksums> KernelOrg::GetChecksums(int major,
                                                  bool& is_signed) const {
  const std::string url = TarballDir(major) + "sha256sums.asc";
  ABSL_ASSIGN_OR_RETURN(std::string text, GetText(url, kMaxSumsBytes));
  ABSL_ASSIGN_OR_RETURN(WorkDir work, cache_->MakeWorkDir("index"));
  const std::string path = JoinPath(work.path(), "sha256sums.asc");
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(path, text));
  absl::StatusOr<std::string> content = SignedContent(path, is_signed);
  ABSL_RETURN_IF_ERROR(Annotate(content.status(), url));
  return Checksums::Parse(*content);
}

absl::StatusOr<KernelVersion> KernelOrg::Newest(
    const KernelVersion& series) const {
  ABSL_ASSIGN_OR_RETURN(ReleaseIndex index, Index());
  if (auto newest = index.Newest(series)) return *newest;
  bool is_signed = false;
  absl::StatusOr<Checksums> sums = GetChecksums(series.major, is_signed);
  if (!sums.ok() && !absl::IsNotFound(sums.status())) return sums.status();
  if (sums.ok()) {
    if (auto newest = sums->Newest(series)) return *newest;
  }
  return absl::NotFoundError(absl::StrCat(
      name(), " has no release of ", series.ToString(),
      ": the newest of all is ", index.releases().front().version.ToString()));
}

// "... : the newest of 6.12 is 6.12.58".
absl::Status KernelOrg::WithNewest(absl::Status status,
                                   const KernelVersion& version) const {
  const KernelVersion series = {.major = version.major, .minor = version.minor};
  absl::StatusOr<KernelVersion> newest = Newest(series);
  std::string hint;
  if (newest.ok()) {
    hint = absl::StrCat(": the newest of ", series.ToString(), " is ",
                        newest->ToString());
  }
  return absl::NotFoundError(absl::StrCat("kernel ", version.ToString(),
                                          " is not on ", name(), hint, " (",
                                          status.message(), ")"));
}

absl::StatusOr<RemoteTarball> KernelOrg::Locate(
    const KernelVersion& version) const {
  RemoteTarball tarball = {.version = version,
                           .file_name = TarballName(version)};
  if (version.rc >= 0) {
    tarball.url = absl::StrCat(options_.base_url.empty()
                                   ? kCandidateHost
                                   : absl::string_view(options_.base_url),
                               "/torvalds/t/", tarball.file_name);
    tarball.trust = "no checksum is published for candidates";
    return tarball;
  }
  tarball.url = TarballDir(version.major) + tarball.file_name;
  absl::StatusOr<Checksums> sums =
      GetChecksums(version.major, tarball.is_signed);
  if (absl::IsNotFound(sums.status())) {
    return WithNewest(sums.status(), version);
  }
  ABSL_RETURN_IF_ERROR(sums.status());
  std::optional<std::string> sum = sums->Find(tarball.file_name);
  if (!sum) {
    return WithNewest(absl::NotFoundError(absl::StrCat(
                          tarball.url, " is not in the list of its directory")),
                      version);
  }
  tarball.sha256 = *std::move(sum);
  tarball.trust = absl::StrCat("sha256 ", tarball.sha256,
                               tarball.is_signed ? ", signed" : ", unsigned");
  return tarball;
}

absl::StatusOr<std::string> KernelOrg::Get(
    const RemoteTarball& tarball,
    const std::function<void(uint64_t done, uint64_t total)>& on_progress)
    const {
  const std::string path = cache_->DownloadPath(tarball.file_name);
  ABSL_RETURN_IF_ERROR(MakeDirs(std::string(Dirname(path))));
  if (FileExists(path)) {
    absl::StatusOr<std::string> sum = Sha256HexOfFile(path);
    if (sum.ok() && (tarball.sha256.empty() || *sum == tarball.sha256)) {
      return path;
    }
  }
  const absl::Status got = Fetch({.program = options_.fetch_program,
                                  .url = tarball.url,
                                  .path = path,
                                  .max_bytes = kMaxTarballBytes,
                                  .resume = true,
                                  .cancel_fd = options_.cancel_fd,
                                  .on_progress = on_progress});
  if (absl::IsNotFound(got)) return WithNewest(got, tarball.version);
  ABSL_RETURN_IF_ERROR(got);
  if (tarball.sha256.empty()) return path;
  ABSL_ASSIGN_OR_RETURN(std::string sum, Sha256HexOfFile(path));
  if (sum == tarball.sha256) return path;
  ABSL_RETURN_IF_ERROR(RemoveTree(path));
  return absl::DataLossError(absl::StrCat(
      tarball.url, ": its SHA-256 is ", sum, " and not ", tarball.sha256,
      " as published: damaged on its way or not genuine, so it was removed"));
}

}  // namespace ktstr::kernel
