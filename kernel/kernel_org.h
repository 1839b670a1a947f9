// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_KERNEL_ORG_H_
#define KTSTR_KERNEL_KERNEL_ORG_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "kernel/cache.h"
#include "kernel/checksums.h"
#include "kernel/releases.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

struct KernelOrgOptions {
  // A mirror: https://HOST[/PATH] in place of every host of kernel.org. Empty:
  // $KTSTR_KERNEL_ORG, else kernel.org itself.
  std::string base_url;
  // Public keys that may sign the lists of checksums. Empty:
  // $KTSTR_KERNEL_KEYRING, else ~/.config/ktstr/kernel.org.gpg if it is there,
  // else signatures are not checked.
  std::string keyring;
  std::string fetch_program;  // ktstr_fetch; empty: nothing can be reached
  int cancel_fd = -1;         // borrowed; -1: never
};

// A release's source, found but not yet got.
struct RemoteTarball {
  KernelVersion version;
  std::string url;
  std::string file_name;  // "linux-6.12.5.tar.xz"
  std::string sha256;     // empty for release candidates: nobody publishes one
  // What vouches for it, for people: "sha256 1a2b..., signed".
  std::string trust;
  bool is_signed = false;
};

// Where Linux is released.
//
// Blocks: every call, for as long as the server takes, ended by cancel_fd.
// Threads: any.
// Errors: those of GetFile() (kernel/http.h); Unavailable means that the server
//         cannot be reached.
class KernelOrg {
 public:
  KernelOrg(const KernelCache* cache, KernelOrgOptions options);

  // "kernel.org", or the mirror.
  std::string name() const;

  absl::StatusOr<ReleaseIndex> Index() const;

  // The newest release of a series: of the index, or for a series that is not
  // maintained any more of the directory of tarballs.
  //
  // Errors: NotFound when there is none.
  absl::StatusOr<KernelVersion> Newest(const KernelVersion& series) const;

  // Errors:
  //   NotFound          there is no such release; the sentence names the newest
  //                     of the series.
  //   PermissionDenied  the list of checksums is not signed by the keyring.
  absl::StatusOr<RemoteTarball> Locate(const KernelVersion& version) const;

  // The path of the verified tarball, in the cache. What an earlier call got is
  // used, and what it left half-done is completed. The caller holds the lock of
  // DownloadLock().
  //
  // Errors: DataLoss when the bytes are not those that the checksum is of; they
  //         are removed.
  absl::StatusOr<std::string> Get(
      const RemoteTarball& tarball,
      const std::function<void(uint64_t done, uint64_t total)>& on_progress)
      const;

 private:
  absl::StatusOr<std::string> GetText(const std::string& url,
                                      uint64_t max_bytes) const;
  absl::StatusOr<std::string> SignedContent(const std::string& path,
                                            bool& is_signed) const;
  // The list of a major number's directory.
  absl::StatusOr<Checksums> GetChecksums(int major, bool& is_signed) const;
  std::string TarballDir(int major) const;
  absl::Status WithNewest(absl::Status status,
                          const KernelVersion& version) const;

  const KernelCache* const cache_;
  KernelOrgOptions options_;
};

// The key of the lock for what is got under `name`.
std::string DownloadLock(absl::string_view name);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_KERNEL_ORG_H_
