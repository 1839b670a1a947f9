// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_SHELL_RUNNER_H_
#define KTSTR_HOSTD_SHELL_RUNNER_H_

#include "absl/status/statusor.h"
#include "hostd/artifact_cache.h"
#include "hostd/guest_boot.h"
#include "hostd/guest_image.h"
#include "hostd/run_dir.h"
#include "hostd/shell_link.h"
#include "hostd/shell_watch.h"
#include "proto/shells.pb.h"

namespace ktstr::hostd {

// Turns a shell's lease into a guest with that shell in it, then leaves the
// host as it was.
//
// Threads: Run may be called from many threads at once, each with its shell.
class ShellRunner {
 public:
  // All outlive the runner.
  ShellRunner(GuestBootOptions options, const RunDir* run_dir,
              ArtifactCache* cache, PackGuest pack);

  // Runs one shell; how it ended goes to the link.
  //
  // Blocks: until the guest is gone, which the link's stop_fd() brings about.
  void Run(const ktstr::v1::ShellLease& lease, ShellLink* link) const;

 private:
  absl::StatusOr<ktstr::v1::ShellEnd> RunGuest(
      const ktstr::v1::ShellLease& lease, ShellLink* link,
      ShellInlet* inlet) const;

  const GuestBootOptions options_;
  const RunDir* const run_dir_;
  ArtifactCache* const cache_;
  const PackGuest pack_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_SHELL_RUNNER_H_
