// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Ready scenarios for tests that want one as it is:
//
//   KTSTR_TEST(mine_survives_resizing, .scheduler = &kMine, .duration = 5s) {
//     return scenarios::cpuset_resize(ctx);
//   }
//
// Times are parts of the test's duration D, after a pause to settle. Work that
// is not named is the test's: spinning, workers_per_cgroup of them. A machine
// that is too small gives a skip with the reason. docs/scenarios.md describes
// the whole catalogue, which `play` takes from by name.
#ifndef KTSTR_KTSTR_CATALOG_SCENARIOS_H_
#define KTSTR_KTSTR_CATALOG_SCENARIOS_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ktstr/context.h"
#include "ktstr/verdict.h"

namespace ktstr::scenarios {

// Two cgroups side by side, nothing changes.
absl::StatusOr<Verdict> steady(const Context& ctx);
// Two cgroups, each on an LLC of its own.
absl::StatusOr<Verdict> steady_llc(const Context& ctx);
// Two cgroups with 32 yielding workers each.
absl::StatusOr<Verdict> oversubscribed(const Context& ctx);
// Half-way, two running cgroups are confined to a half of the machine each.
absl::StatusOr<Verdict> cpuset_apply(const Context& ctx);
// Half-way, two cgroups that were confined to their halves are released.
absl::StatusOr<Verdict> cpuset_clear(const Context& ctx);
// The border between two cgroups moves from 1/2 to 1/4, then to 3/4.
absl::StatusOr<Verdict> cpuset_resize(const Context& ctx);
// Half-way, one or two cgroups join the two that run.
absl::StatusOr<Verdict> cgroup_add(const Context& ctx);
// Half-way, half of up to four running cgroups end.
absl::StatusOr<Verdict> cgroup_remove(const Context& ctx);
// Four times, every worker is given another random half of the CPUs.
absl::StatusOr<Verdict> affinity_change(const Context& ctx);
// Every worker of two running cgroups is pinned to the same two CPUs.
absl::StatusOr<Verdict> affinity_pinned(const Context& ctx);
// Two cgroups against one worker a CPU outside of any cgroup.
absl::StatusOr<Verdict> host_contention(const Context& ctx);
// Spinning, bursty and I/O work in a cgroup each.
absl::StatusOr<Verdict> mixed_workloads(const Context& ctx);
// Four working cgroups, two and three levels deep.
absl::StatusOr<Verdict> nested_steady(const Context& ctx);
// Workers move up, across and down the tree of cgroups.
absl::StatusOr<Verdict> nested_task_move(const Context& ctx);

// Any scenario of the catalogue by its name, these included.
//
// Errors: NotFound naming the scenario; else as run() of scenario.h.
absl::StatusOr<Verdict> play(const Context& ctx, absl::string_view name);

}  // namespace ktstr::scenarios

#endif  // KTSTR_KTSTR_CATALOG_SCENARIOS_H_
