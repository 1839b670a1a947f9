// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_LEASE_RUNNER_H_
#define KTSTR_HOSTD_LEASE_RUNNER_H_

#include <optional>

#include "absl/status/statusor.h"
#include "hostd/artifact_cache.h"
#include "hostd/attempt_control.h"
#include "hostd/guest_boot.h"
#include "hostd/guest_image.h"
#include "hostd/machine_watch.h"
#include "hostd/run_dir.h"
#include "model/performance_spec.h"
#include "model/topology.h"
#include "proto/attempt.pb.h"

namespace ktstr::hostd {

// Turns a lease into a guest and one result, then leaves the host as it was.
//
// Threads: Run may be called from many threads at once, each with its attempt.
class LeaseRunner {
 public:
  struct Options {
    GuestBootOptions boot;
    // Stored with every result.
    ktstr::v1::HostContext context;
    // Tests that want hardware of their own are skipped.
    bool is_performance_mode_off = false;
  };

  // All outlive the runner.
  LeaseRunner(Options options, const RunDir* run_dir, ArtifactCache* cache,
              PackGuest pack);

  // Never fails: what goes wrong is the result.
  //
  // Blocks: until the guest is gone; bounded by the attempt's budget and the
  //         time its artifacts take to arrive.
  ktstr::v1::AttemptResult Run(const ktstr::v1::Attempt& attempt,
                               AttemptControl* control) const;

 private:
  absl::StatusOr<WatchResult> RunMachine(const ktstr::v1::Attempt& attempt,
                                         AttemptControl* control) const;
  // The hardware of a guest that wants its own; nothing for others.
  absl::StatusOr<std::optional<PerformanceSpec>> Hardware(
      const ktstr::v1::VariantSpec& variant, const Topology& topology) const;
  ktstr::v1::RunTestRequest MakeRequest(const ktstr::v1::Attempt& attempt,
                                        int vcpus) const;

  const Options options_;
  const RunDir* const run_dir_;
  ArtifactCache* const cache_;
  const PackGuest pack_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_LEASE_RUNNER_H_
