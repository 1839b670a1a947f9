// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_RELEASES_H_
#define KTSTR_KERNEL_RELEASES_H_

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kernel/spec.h"

namespace ktstr::kernel {

// One line of the index: the newest release of a series.
struct Release {
  KernelVersion version;
  bool is_mainline = false;  // else stable or longterm
  bool is_eol = false;       // nobody maintains the series any more
};

// The releases that kernel.org lists, the newest of each series; linux-next is
// left out.
class ReleaseIndex {
 public:
  // Reads releases.json.
  //
  // Trust:  any bytes; at most 4 MiB and 1000 releases. What is no release of a
  //         known kind is passed over.
  // Errors: InvalidArgument when it is no index or lists nothing.
  static absl::StatusOr<ReleaseIndex> Parse(absl::string_view text);

  // Newest first.
  const std::vector<Release>& releases() const { return releases_; }

  // The newest one that `wanted` (maybe a series) covers.
  std::optional<KernelVersion> Newest(const KernelVersion& wanted) const;

  // What a build without a version takes: the newest stable or longterm release
  // with at least 8 patches, so that the worst of a new series is behind.
  // NotFound when there is none.
  absl::StatusOr<KernelVersion> Default() const;

  // The stable and longterm releases from `low` to `high`, ends included (6.14
  // as the high end includes 6.14.3), oldest first. NotFound when none is.
  absl::StatusOr<std::vector<KernelVersion>> Range(
      const KernelVersion& low, const KernelVersion& high) const;

  // Whether the series of `version` is not maintained: listed as such, or not
  // at all.
  bool IsEol(const KernelVersion& version) const;

 private:
  std::vector<Release> releases_;
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_RELEASES_H_
