// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a test leaves behind, and how it goes.
#ifndef KTSTR_GUESTD_LEFTOVERS_H_
#define KTSTR_GUESTD_LEFTOVERS_H_

#include <sys/types.h>

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

namespace ktstr::guestd {

// Kills every process below the cgroup `root` (cgroup.kill), waits until the
// kernel reports it empty, and removes it with everything below. Missing is OK.
//
// Blocks: until `deadline` (CLOCK_MONOTONIC) at most.
// Errors: DeadlineExceeded when a process will not die; errno's mapping when a
//         directory cannot be removed.
absl::Status RemoveCgroupTree(const std::string& root, absl::Duration deadline);

// Reaps every zombie whose parent is this process, except `tracked`, whose
// status somebody waits for. For PID 1, which inherits orphans.
void ReapOrphans(const std::set<pid_t>& tracked);

// Fields of /proc/PID/stat.
struct ProcessStat {
  pid_t parent = 0;
  pid_t group = 0;
};
// nullopt for text of another shape. The name in it may contain anything.
absl::optional<ProcessStat> ParseProcessStat(absl::string_view text);

// For PID 1: SIGKILL to every user process of the guest except this one and the
// groups in `kept_groups`.
void KillStrays(const std::set<pid_t>& kept_groups);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_LEFTOVERS_H_
