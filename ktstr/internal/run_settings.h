// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_RUN_SETTINGS_H_
#define KTSTR_KTSTR_INTERNAL_RUN_SETTINGS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "ktstr/work_type.h"
#include "model/topology.h"

namespace ktstr::internal {

// What guestd tells a suite through the environment:
//   KTSTR_FRAMES_FD      descriptor for frames; absent: text on standard output
//   KTSTR_TOPOLOGY       declared topology, "1n2l2c2t"
//   KTSTR_DURATION_MS    scenario budget
//   KTSTR_WORKERS        workers per cgroup
//   KTSTR_WORK_TYPE      name of the work type of swappable cgroups
//   KTSTR_SEED           seed of every random choice
//   KTSTR_OVERCOMMITTED  "1": the host has fewer CPUs than the guest
//   KTSTR_SCHED_PID      scheduler process; absent for the kernel's default
//   KTSTR_CONTROL_FD     descriptor to ask for schedulers; absent: nobody there
//   KTSTR_CGROUP_ROOT    directory for the test's cgroups, somebody else's
//   KTSTR_CPU_CONTROLLER "1": cgroups have the cpu controller from the start
// What is absent keeps the test's own value.
struct RunSettings {
  std::optional<int> frames_fd;
  std::optional<Topology> topology;
  std::optional<std::chrono::nanoseconds> duration;
  std::optional<int> workers;
  std::optional<WorkType> work_type;
  std::optional<uint64_t> seed;
  bool is_overcommitted = false;
  std::optional<int> sched_pid;
  std::optional<int> control_fd;
  std::optional<std::string> cgroup_root;
  bool has_cpu_controller = false;
};

// Null for a name that is not set.
using EnvironmentReader = std::function<const char*(const char* name)>;

// Errors: InvalidArgument naming the variable, its value and what it accepts.
absl::StatusOr<RunSettings> ReadRunSettings(const EnvironmentReader& read);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_RUN_SETTINGS_H_
