// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_GUEST_IMAGE_H_
#define KTSTR_HOSTD_GUEST_IMAGE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "hostd/artifact_cache.h"
#include "model/guest_layout.h"
#include "proto/attempt.pb.h"
#include "proto/shells.pb.h"

namespace ktstr::hostd {

// One file for the guest and where its bytes are on this host.
struct GuestImageFile {
  std::string guest_path;
  bool is_executable = false;
  HeldArtifact content;
};

// The files a variant adds to the base initramfs, fetched into the cache:
// kernel modules in loading order, suite, scheduler, their libraries,
// configuration files.
//
// Errors:
//   InvalidArgument  no suite, a library path that is relative, too long, has
//                    "..", or lies below /ktstr, a module's name that is none;
//                    the message names it.
//   and ArtifactCache::Get's, with the artifact's name.
absl::StatusOr<std::vector<GuestImageFile>> FetchGuestFiles(
    const ktstr::v1::VariantSpec& variant, ArtifactCache* cache);

// The files of a guest for a shell, fetched into the cache: kernel modules,
// then what the person sent; one of them is busybox. Paths and errors as above.
absl::StatusOr<std::vector<GuestImageFile>> FetchShellFiles(
    const ktstr::v1::ShellRequest& request, ArtifactCache* cache);

// Packs a guest's archives, in the order vmm concatenates them.
//
// Threads: any.
using PackGuest = std::function<absl::StatusOr<std::vector<UniqueFd>>(
    const std::vector<GuestImageFile>&)>;

// Packs with hostd/initramfs.h: the cached base around the program `guestd`,
// and the tail in a memory file. Modules, suite and scheduler are known by
// their paths.
PackGuest MakePackGuest(std::string guestd, std::string cache_dir);

// ArtifactCache::Get of a reference, with its name in the error.
absl::StatusOr<HeldArtifact> FetchArtifact(
    const ktstr::v1::ArtifactRef& artifact, ArtifactCache* cache);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_GUEST_IMAGE_H_
