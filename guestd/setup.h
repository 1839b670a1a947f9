// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SETUP_H_
#define KTSTR_GUESTD_SETUP_H_

#include <string>

#include "absl/status/status.h"
#include "proto/setup.pb.h"

namespace ktstr::guestd {

// Where the kernel takes settings; other directories in tests.
struct SetupRoots {
  std::string sysctls = "/proc/sys";
  std::string cgroups = "/sys/fs/cgroup";
  // In front of the files that `enable` and `disable` name.
  std::string files = "";
};

// Sysctls in order, the cgroup parent, then what enables a scheduler inside the
// kernel. Stops at the first that fails.
//
// Sysctls are written here and not on the kernel's command line because the
// kernel only logs one that it does not have, and a test would go on without
// what it asked for.
//
// Errors: one sentence with the file, the value and what the kernel answered.
absl::Status ApplySetup(const v1::SchedulerSetup& setup,
                        const SetupRoots& roots);

// What disables a scheduler inside the kernel. The first failure; the rest is
// written all the same.
absl::Status UndoSetup(const v1::SchedulerSetup& setup,
                       const SetupRoots& roots);

// Directory of setup.cgroup_parent; empty when there is none.
std::string CgroupParentDir(const v1::SchedulerSetup& setup,
                            const SetupRoots& roots);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SETUP_H_
