// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_CHECKSUMS_H_
#define KTSTR_KERNEL_CHECKSUMS_H_

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

// The list of files of one directory of kernel.org, by name.
class Checksums {
 public:
  // Reads the text of sha256sums.asc, with its signature around or without.
  //
  // Trust: any bytes; lines of another form are passed over, of two with one
  //        name the first counts.
  static Checksums Parse(absl::string_view text);

  // The SHA-256 of a file; nothing when it is not listed.
  std::optional<std::string> Find(absl::string_view file_name) const;

  // The newest release that `series` covers and that has a tarball.
  std::optional<KernelVersion> Newest(const KernelVersion& series) const;

 private:
  std::map<std::string, std::string, std::less<>> sums_;
};

// "linux-6.12.5.tar.xz"; of a release candidate "linux-6.13-rc2.tar.gz".
std::string TarballName(const KernelVersion& version);

// The signed content of `signed_path` (a clear-signed text), by a key of
// `keyring`.
//
// Blocks: while gpgv runs.
// Errors:
//   PermissionDenied  the signature is bad, or by another key.
//   Unavailable       gpgv cannot be run.
absl::StatusOr<std::string> VerifySignature(const std::string& signed_path,
                                            const std::string& keyring);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_CHECKSUMS_H_
