// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_SOURCE_PACKAGE_H_
#define KTSTR_KERNEL_SOURCE_PACKAGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

// An installed linux-source package: a tarball of one kernel release.
struct SourcePackage {
  std::string name;          // "linux-source-6.12"
  std::string tarball_path;  // "/usr/src/linux-source-6.12.tar.xz"
  // Changes whenever the content may have: the package's version, or size and
  // time of a tarball that no package owns.
  std::string identity;
  // The release inside, as far as the package says: "6.12.117", else "6.12".
  std::string version;
};

// Finds the package of the series of `wanted` below `source_dir`; of a major
// number alone the newest series.
//
// Errors:
//   NotFound            not installed; the sentence names the package.
//   FailedPrecondition  installed with another patch level than `wanted`.
absl::StatusOr<SourcePackage> FindSourcePackage(const std::string& source_dir,
                                                const KernelVersion& wanted);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_SOURCE_PACKAGE_H_
