// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_HOST_RUN_H_
#define KTSTR_KTSTRCTL_HOST_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ktstrctl/catalog.h"
#include "proto/fleet.pb.h"

namespace ktstr::ktstrctl {

// What a person asked `ktstrctl host run` for.
struct HostRunOptions {
  std::vector<std::string> scenarios;  // empty: all of the category
  std::string category;                // empty: every one
  absl::Duration duration = absl::Seconds(20);
  int workers = 4;
  uint64_t seed = 1;
  std::string work_type;  // of swappable cgroups; empty: their own
  // Flags the scheduler that runs here was started with; see PlanHostRun().
  std::vector<std::string> flags;
  bool has_flags = false;
  bool has_all_profiles = false;
  // Judge as on a virtual machine that shares its CPUs (docs/checks.md).
  bool is_overcommitted = false;
};

// One scenario under one profile; `skip` says why it shall not run.
struct HostVariant {
  v1::TestDescription scenario;
  std::string profile;  // flags joined by '+', or "default"
  std::vector<std::string> flags;
  std::string skip;
};

// What runs, ordered by category, scenario, profile. A scenario runs once,
// under the flags it is about; with `flags` under those, and is skipped where
// they lack one it requires or have one it excludes; with `has_all_profiles`
// under every valid set. Nothing here starts a scheduler or gives it flags:
// they are what the results are named by.
//
// Errors: InvalidArgument for an unknown scenario, category or flag.
absl::StatusOr<std::vector<HostVariant>> PlanHostRun(
    const Catalog& catalog, const HostRunOptions& options);

// Whether scenarios can run on this machine at all: FailedPrecondition with one
// sentence unless this is root and `cgroup_root` the root of cgroup v2 with the
// cpuset controller.
absl::Status CheckHost(const std::string& cgroup_root = "/sys/fs/cgroup");

// Runs `program --ktstr-run` of one variant, as a guest would, and gives what
// came of it as the result of a variant. A process that dies, or does not end
// in time, is an ERROR; one that cannot do its part on this machine a MISS; one
// that was interrupted is killed and CANCELLED.
//
// Blocks: for the scenario; `interrupt_fd` becoming readable ends it.
v1::Variant RunOnHost(const std::string& program, const HostVariant& variant,
                      const HostRunOptions& options, int interrupt_fd);

// Ends what earlier runs left behind: processes in the scenarios' cgroup, and
// the cgroups. Says what it did.
absl::StatusOr<std::string> CleanUpHost(const std::string& program);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_HOST_RUN_H_
