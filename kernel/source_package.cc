// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/source_package.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"

namespace ktstr::kernel {
namespace {

// The version of an installed Debian package; empty when dpkg does not know it.
std::string PackageVersion(const std::string& name) {
  CommandSpec query;
  query.argv = {"dpkg-query", "-W", "-f=${Version}", name};
  absl::StatusOr<CommandOutput> output = RunCommand(query, absl::Seconds(30));
  if (!output.ok() || !output->exit.ok()) return "";
  return std::string(absl::StripAsciiWhitespace(output->out));
}

// The package that installed the tarball, if one did.
bool IsOwned(const std::string& name, const std::string& tarball_path) {
  CommandSpec query;
  query.argv = {"dpkg-query", "-L", name};
  absl::StatusOr<CommandOutput> output = RunCommand(query, absl::Seconds(30));
  return output.ok() && output->exit.ok() &&
         absl::StrCat("\n", output->out)
                 .find(absl::StrCat("\n", tarball_path, "\n")) !=
             std::string::npos;
}

std::string IdentityOfFile(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return "";
  return absl::StrCat("file ", status.st_size, " ", status.st_mtim.tv_sec, ".",
                      status.st_mtim.tv_nsec);
}

// Of the packages of a major number; -1 for none.
int NewestMinor(const std::string& source_dir, int major) {
  int newest = -1;
  auto names = ListDir(source_dir);
  if (!names.ok()) return newest;
  for (const std::string& name : *names) {
    absl::string_view series = name;
    if (!absl::ConsumePrefix(&series, "linux-source-") ||
        !absl::ConsumeSuffix(&series, ".tar.xz")) {
      continue;
    }
    auto version = KernelVersion::Parse(series);
    if (version.ok() && version->major == major && version->is_series()) {
      newest = std::max(newest, version->minor);
    }
  }
  return newest;
}

}  // namespace

absl::StatusOr<SourcePackage> FindSourcePackage(const std::string& source_dir,
                                                const KernelVersion& wanted) {
  SourcePackage package;
  const int minor =
      wanted.minor >= 0 ? wanted.minor : NewestMinor(source_dir, wanted.major);
  if (minor < 0) {
    return absl::NotFoundError(
        absl::StrCat("no kernel source package linux-source-", wanted.major,
                     ".* is installed (none in ", source_dir, ")"));
  }
  std::string series = absl::StrCat(wanted.major, ".", minor);
  package.name = absl::StrCat("linux-source-", series);
  package.tarball_path =
      JoinPath(source_dir, absl::StrCat(package.name, ".tar.xz"));
  if (!FileExists(package.tarball_path)) {
    return absl::NotFoundError(
        absl::StrCat("kernel source package ", package.name,
                     " is not installed (no ", package.tarball_path,
                     "): `apt-get install ", package.name, "` installs it"));
  }
  package.version = series;
  package.identity = IdentityOfFile(package.tarball_path);
  if (IsOwned(package.name, package.tarball_path)) {
    package.identity = PackageVersion(package.name);
    std::string upstream =
        package.identity.substr(0, package.identity.find('-'));
    if (KernelVersion::Parse(upstream).ok()) package.version = upstream;
  }
  ABSL_ASSIGN_OR_RETURN(KernelVersion found,
                        KernelVersion::Parse(package.version));
  if (!wanted.Covers(found)) {
    return absl::FailedPreconditionError(absl::StrCat(
        package.name, " holds ", package.version, ", not ", wanted.ToString(),
        ": ask for ", package.version, " or ", series));
  }
  return package;
}

}  // namespace ktstr::kernel
