// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_CONTEXT_H_
#define KTSTR_KTSTR_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "ktstr/checks.h"
#include "ktstr/internal/cgroup_tree.h"
#include "ktstr/measurement.h"
#include "ktstr/topology.h"
#include "ktstr/work.h"

namespace ktstr {

class CpuHotplug;        // internal/cpu_hotplug.h
class PayloadBuilder;    // payload_run.h
struct PayloadDef;       // payload.h
class SchedulerControl;  // internal/scheduler_control.h
namespace internal {
class PayloadLog;  // internal/payload_log.h
}  // namespace internal

// A step boundary, as the scenario engine reports it (ktstr.v1.Stimulus).
struct StimulusRecord {
  std::chrono::nanoseconds elapsed{0};
  int step = 0;
  uint32_t op_kinds = 0;
  int ops = 0;
  int cgroups = 0;
  int workers = 0;  // processes
  int64_t total_iterations = 0;
  // The same just before the workers of the step before were collected.
  int64_t ended_iterations = 0;
  std::string label;
  bool is_end = false;  // of the scenario; nothing begins
};

// What a test body is given. The runner fills it in; unit tests make their own.
//
// Lifetime: what it points to outlives it.
struct ContextParts {
  const GuestTopology* topology = nullptr;
  CgroupTree* cgroups = nullptr;
  std::chrono::nanoseconds duration = std::chrono::seconds(1);
  std::chrono::nanoseconds settle{0};
  int workers_per_cgroup = 1;
  // What whoever submitted wants in place of the work that may be swapped.
  std::optional<WorkType> work_type;
  // Null where CPUs cannot be switched, or schedulers not be attached.
  CpuHotplug* cpus = nullptr;
  SchedulerControl* scheduler = nullptr;
  // Of the scheduler under test; unset for the kernel's default. Without effect
  // beside `scheduler`, which knows better.
  std::optional<int> sched_pid;
  uint64_t seed = 1;
  Checks checks = Checks::Defaults();
  JudgingProfile profile;
  // Takes what the body records; may be empty.
  std::function<void(Measurement)> on_record;
  // Takes what payloads measured and what their checks found; may be null.
  internal::PayloadLog* payloads = nullptr;
  // Called at every step boundary; may be empty.
  std::function<void(const StimulusRecord&)> on_stimulus;
};

class Context {
 public:
  explicit Context(ContextParts parts) : parts_(std::move(parts)) {}

  const GuestTopology& topology() const { return *parts_.topology; }
  CgroupTree& cgroups() const { return *parts_.cgroups; }
  // Guest time the scenario should fill.
  std::chrono::nanoseconds duration() const { return parts_.duration; }
  // Pause after set-up that canned scenarios add to their first hold.
  std::chrono::nanoseconds settle() const { return parts_.settle; }
  int workers_per_cgroup() const { return parts_.workers_per_cgroup; }
  // `work` with the type of `submit --work-type` in place of its own, if there
  // is one and the workers make whole groups of it; else as it is.
  Work swapped(Work work) const;
  // Of the scheduler that is attached now.
  std::optional<int> sched_pid() const;
  // The seed of every random choice of this run.
  uint64_t seed() const { return parts_.seed; }
  // A number of the test's own for its result: shown, stored, and comparable
  // between runs. At most 256, each name once; a name is made of letters,
  // digits and _ . / -, the value finite. Anything else breaks the test.
  //
  //   ctx.record("tenant/p99", 12.5, "us", Polarity::lower_better());
  void record(std::string name, double value, std::string unit = "",
              Polarity polarity = Polarity::unknown()) const;
  // An external program, to be run or started; see payload_run.h.
  PayloadBuilder payload(const PayloadDef& def) const;
  // All layers merged.
  const Checks& checks() const { return parts_.checks; }
  const JudgingProfile& profile() const { return parts_.profile; }
  const ContextParts& parts() const { return parts_; }

 private:
  const ContextParts parts_;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_CONTEXT_H_
