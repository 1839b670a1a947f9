// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_RUNNER_H_
#define KTSTR_KTSTR_INTERNAL_RUNNER_H_

#include "absl/status/status.h"
#include "ktstr/internal/cgroup_tree.h"
#include "ktstr/internal/run_settings.h"
#include "ktstr/test.h"
#include "ktstr/topology.h"

namespace ktstr::internal {

// The machine a test runs on.
struct Machine {
  const GuestTopology* topology = nullptr;
  CgroupTree* cgroups = nullptr;
  // May be null, as in ContextParts.
  CpuHotplug* cpus = nullptr;
  SchedulerControl* scheduler = nullptr;
};

// Runs one test and delivers its verdict, whatever it says: as frames on the
// settings' descriptor, or as text on standard output without one. An error
// from the body is a failed verdict with a finding of kind kTestBodyError.
//
// Errors: the verdict could not be delivered.
absl::Status RunTest(const TestEntry& test, const RunSettings& settings,
                     const Machine& machine);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_RUNNER_H_
