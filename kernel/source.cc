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

// A person's own tree.
absl::StatusOr<KernelSource> TreeSource(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(LocalTree tree, InspectLocalTree(path));
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

}  // namespace

std::vector<std::string> KernelSource::FillCommand(
    const std::string& copy) const {
  if (!tree.empty()) return CopyTreeCommand(tree, copy);
  return {"tar", "--extract", "--file", archive, "--directory", copy,
          "--strip-components=1",
          // Large, and read by nothing that is built here. The Kconfig files of
          // every directory must stay.
          "--exclude=*/drivers/gpu/drm/amd/include/*",
          "--exclude=*/tools/testing/*"};
}

absl::StatusOr<KernelSource> FindSource(const std::string& text,
                                        const std::string& source_dir) {
  if (absl::StripAsciiWhitespace(text).empty()) {
    return absl::UnimplementedError(
        "the newest release cannot be downloaded yet: name a series (6.12), a "
        "package (deb:linux-source-6.12) or the path of a source tree");
  }
  ABSL_ASSIGN_OR_RETURN(KernelSpec spec, ParseKernelSpec(text));
  switch (spec.form) {
    case KernelSpec::Form::kPackage:
    case KernelSpec::Form::kVersion:
    case KernelSpec::Form::kPrefix:
      return PackageSource(spec.version, source_dir);
    case KernelSpec::Form::kPath:
      return TreeSource(spec.path);
    case KernelSpec::Form::kGit:
    case KernelSpec::Form::kRange:
      return absl::UnimplementedError(
          absl::StrCat("kernel ", spec.text,
                       ": only a version, a series, a package and a source "
                       "tree can be built yet"));
    case KernelSpec::Form::kCacheKey:
    case KernelSpec::Form::kUnspecified:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "kernel \"", spec.text,
      "\" cannot be built: accepted are a version (6.12.117), a series (6.12 "
      "or 6), a package (deb:linux-source-6.12) and the path of a source tree "
      "(./linux)"));
}

}  // namespace ktstr::kernel
