// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/source.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "kernel/local_tree.h"
#include "kernel/source_package.h"
#include "kernel/spec.h"

namespace ktstr::kernel {
namespace {

constexpr size_t kShortCommit = 7;
constexpr size_t kShortHash = 8;

// The installed package of the series of `wanted`.
absl::StatusOr<KernelSource> PackageSource(const KernelVersion& wanted,
                                           const std::string& source_dir) {
  ABSL_ASSIGN_OR_RETURN(SourcePackage package,
                        FindSourcePackage(source_dir, wanted));
  return KernelSource{.kind = "tarball",
                      .name = package.name,
                      .identity = package.identity,
                      .key_prefix = absl::StrCat(package.version, "-tarball"),
                      .archive = package.tarball_path};
}

KernelSource ReleaseSource(const KernelVersion& version,
                           const KernelOrg& kernel_org) {
  return {.kind = "tarball",
          .name = absl::StrCat("linux-", version.ToString()),
          .identity = kernel_org.name(),
          .key_prefix = absl::StrCat(version.ToString(), "-tarball"),
          .release = version};
}

// The package in place of a release that cannot be had because of `why`.
absl::StatusOr<KernelSource> Instead(const absl::Status& why,
                                     const KernelVersion& wanted,
                                     const SourceSearch& search) {
  absl::StatusOr<KernelSource> package =
      PackageSource(wanted, search.source_dir);
  if (!package.ok()) {
    return absl::UnavailableError(
        absl::StrCat("kernel ", wanted.ToString(), ": ",
                     search.kernel_org->name(), " cannot be reached (",
                     why.message(), "), and ", package.status().message()));
  }
  if (search.on_note) {
    search.on_note(absl::StrCat(
        search.kernel_org->name(), " cannot be reached (", why.message(),
        "): kernel ", wanted.ToString(), " is taken from the installed ",
        package->name, " ", package->identity));
  }
  return package;
}

// The newest release of a series.
absl::StatusOr<KernelSource> SeriesSource(const KernelVersion& series,
                                          const SourceSearch& search) {
  absl::StatusOr<KernelVersion> newest = search.kernel_org->Newest(series);
  if (newest.ok()) return ReleaseSource(*newest, *search.kernel_org);
  if (!absl::IsUnavailable(newest.status())) return newest.status();
  return Instead(newest.status(), series, search);
}

absl::StatusOr<KernelSource> NewestSource(const SourceSearch& search) {
  absl::StatusOr<ReleaseIndex> index = search.kernel_org->Index();
  if (absl::IsUnavailable(index.status())) {
    return absl::UnavailableError(absl::StrCat(
        "which kernel is the newest is not known, since ",
        search.kernel_org->name(), " cannot be reached (",
        index.status().message(),
        "): name an installed package (deb:linux-source-6.12) or the path of a "
        "source tree"));
  }
  ABSL_RETURN_IF_ERROR(index.status());
  ABSL_ASSIGN_OR_RETURN(KernelVersion version, index->Default());
  return ReleaseSource(version, *search.kernel_org);
}

absl::StatusOr<KernelSource> GitSource(const KernelSpec& spec, int cancel_fd) {
  ABSL_ASSIGN_OR_RETURN(GitCommit commit,
                        ResolveGitRef(spec.git_url, spec.git_ref, cancel_fd));
  const std::string hash = commit.hash.substr(0, kShortCommit);
  const std::string ref =
      commit.ref == commit.hash ? hash : RefInKey(spec.git_ref);
  return KernelSource{.kind = "git",
                      .name = absl::StrCat(spec.git_url, "#", spec.git_ref),
                      .identity = absl::StrCat("commit ", commit.hash),
                      .key_prefix = absl::StrCat(ref, "-git-", hash),
                      .commit = std::move(commit)};
}

KernelSource SourceOf(const LocalTree& tree) {
  const std::string place = Sha256Hex(tree.root).substr(0, kShortHash);
  const std::string commit = tree.commit.substr(0, kShortCommit);
  KernelSource source = {.kind = "local",
                         .name = tree.root,
                         .is_dirty = tree.is_dirty,
                         .kept_as = absl::StrCat("local-", place),
                         .tree = tree.root};
  if (tree.is_dirty) {
    source.key_prefix = absl::StrCat("local-dirty-", place);
    source.identity =
        commit.empty() ? "no git" : absl::StrCat("commit ", commit, ", dirty");
  } else {
    source.key_prefix = absl::StrCat("local-", commit);
    source.identity = absl::StrCat("commit ", tree.commit);
  }
  return source;
}

// A person's own tree.
absl::StatusOr<KernelSource> TreeSource(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(LocalTree tree, InspectLocalTree(path));
  return SourceOf(tree);
}

}  // namespace

std::vector<std::string> KernelSource::FillCommand(
    const std::string& copy) const {
  if (!tree.empty()) return CopyTreeCommand(tree, copy);
  if (commit) return CheckoutCommand(repository, commit->hash, copy);
  // tar refuses members that would leave the directory. What the archive says
  // of owners counts for nothing here.
  return {"tar", "--extract", "--file", archive, "--directory", copy,
          "--strip-components=1", "--no-same-owner",
          // Large, and read by nothing that is built here. The Kconfig files of
          // every directory must stay.
          "--exclude=*/drivers/gpu/drm/amd/include/*",
          "--exclude=*/tools/testing/*"};
}

absl::StatusOr<KernelSource> FindSource(const std::string& text,
                                        const SourceSearch& search) {
  if (absl::StripAsciiWhitespace(text).empty()) return NewestSource(search);
  ABSL_ASSIGN_OR_RETURN(KernelSpec spec, ParseKernelSpec(text));
  switch (spec.form) {
    case KernelSpec::Form::kPackage:
      return PackageSource(spec.version, search.source_dir);
    case KernelSpec::Form::kVersion:
      return ReleaseSource(spec.version, *search.kernel_org);
    case KernelSpec::Form::kPrefix:
      return SeriesSource(spec.version, search);
    case KernelSpec::Form::kPath:
      return TreeSource(spec.path);
    case KernelSpec::Form::kGit:
      return GitSource(spec, search.cancel_fd);
    case KernelSpec::Form::kRange:
    case KernelSpec::Form::kCacheKey:
    case KernelSpec::Form::kUnspecified:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "kernel \"", spec.text,
      "\" cannot be built: accepted are a version (6.12.117), a series (6.12 "
      "or 6), a package (deb:linux-source-6.12), git+URL#REF and the path of a "
      "source tree (./linux)"));
}

absl::StatusOr<KernelSource> LocateSource(KernelSource source,
                                          const SourceSearch& search) {
  if (!source.release || source.tarball) return source;
  absl::StatusOr<RemoteTarball> tarball =
      search.kernel_org->Locate(*source.release);
  if (absl::IsUnavailable(tarball.status())) {
    return Instead(tarball.status(), *source.release, search);
  }
  ABSL_RETURN_IF_ERROR(tarball.status());
  source.trust = tarball->trust;
  source.tarball = *std::move(tarball);
  return source;
}

absl::StatusOr<KernelSource> InspectAgain(const KernelSource& source) {
  if (source.tree.empty() || source.is_dirty) return source;
  ABSL_ASSIGN_OR_RETURN(LocalTree now, InspectLocalTree(source.tree));
  // Another commit meanwhile: the copy may be of both.
  if (absl::StrCat("commit ", now.commit) != source.identity) {
    now.is_dirty = true;
  }
  return SourceOf(now);
}

}  // namespace ktstr::kernel
