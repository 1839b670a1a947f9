// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_WORK_H_
#define KTSTR_KTSTR_WORK_H_

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "ktstr/memory_policy.h"
#include "ktstr/work_type.h"

namespace ktstr {

// Scheduling policy of a worker. A policy that cannot be applied fails the
// test.
struct SchedPolicy {
  enum class Kind { kNormal, kBatch, kIdle, kFifo, kRoundRobin, kDeadline };

  constexpr SchedPolicy() = default;
  constexpr SchedPolicy(Kind kind, int priority)
      : kind(kind), priority(priority) {}

  static constexpr SchedPolicy normal() { return {}; }
  static constexpr SchedPolicy batch() { return {Kind::kBatch, 0}; }
  static constexpr SchedPolicy idle() { return {Kind::kIdle, 0}; }
  // Real-time priority, clamped to 1..99.
  static constexpr SchedPolicy fifo(int priority) {
    return {Kind::kFifo, Clamp(priority)};
  }
  static constexpr SchedPolicy round_robin(int priority) {
    return {Kind::kRoundRobin, Clamp(priority)};
  }

  // SCHED_DEADLINE: `runtime` of CPU in each `period`, by `deadline` after its
  // begin. The kernel refuses workers that a cpuset or affinity confines, and
  // more than it can promise.
  static constexpr SchedPolicy deadline(std::chrono::nanoseconds runtime,
                                        std::chrono::nanoseconds deadline,
                                        std::chrono::nanoseconds period) {
    SchedPolicy policy(Kind::kDeadline, 0);
    policy.runtime = runtime;
    policy.relative_deadline = deadline;
    policy.period = period;
    return policy;
  }

  // InvalidArgument unless 1024 ns <= runtime <= deadline <= period <= an hour.
  absl::Status Validate() const;

  // "fifo(1)", "deadline(2ms, 5ms, 10ms)".
  std::string ToString() const;

  Kind kind = Kind::kNormal;
  int priority = 0;
  std::chrono::nanoseconds runtime{0};
  std::chrono::nanoseconds relative_deadline{0};
  std::chrono::nanoseconds period{0};

 private:
  static constexpr int Clamp(int priority) {
    return priority < 1 ? 1 : priority > 99 ? 99 : priority;
  }
};

// Which CPUs a worker may use inside its cgroup. The pool is the cgroup's
// cpuset, else every CPU.
struct Affinity {
  enum class Kind {
    kInherit,
    kRandomSubset,
    kLlcAligned,
    kCrossCgroup,
    kSingleCpu,
    kExact,
  };

  // No affinity call.
  static Affinity inherit() { return {}; }
  // Each worker its own half of the pool (at least one CPU), by the run's seed.
  static Affinity random_subset() { return {.kind = Kind::kRandomSubset}; }
  // The LLC that shares most CPUs with the pool, intersected with it.
  static Affinity llc_aligned() { return {.kind = Kind::kLlcAligned}; }
  // Every CPU of the machine; the kernel still intersects with the cpuset.
  static Affinity cross_cgroup() { return {.kind = Kind::kCrossCgroup}; }
  // The lowest CPU of the pool.
  static Affinity single_cpu() { return {.kind = Kind::kSingleCpu}; }
  // `cpus` that are in the pool; it is an error when none is.
  static Affinity exact(std::vector<int> cpus) {
    return {.kind = Kind::kExact, .cpus = std::move(cpus)};
  }

  Kind kind = Kind::kInherit;
  std::vector<int> cpus;
};

// One work group: some worker processes doing the same.
//
//   Work{}.workers(4).type(WorkType::bursty({.burst = 10ms, .sleep = 5ms}))
//         .policy(SchedPolicy::batch()).affinity(Affinity::llc_aligned())
class Work {
 public:
  // Unset: the test's workers_per_cgroup. 0 is an error when the group starts,
  // because checks would pass on nothing.
  Work& workers(int count) { return workers_ = count, *this; }
  Work& type(WorkType type) { return type_ = std::move(type), *this; }
  Work& policy(SchedPolicy policy) { return policy_ = policy, *this; }
  Work& affinity(Affinity affinity) {
    return affinity_ = std::move(affinity), *this;
  }
  // Threads of each worker process, all doing the type's work; default 1. Only
  // for types that need no group. A worker's report is about all its threads:
  // docs/work-types.md.
  Work& threads(int count) { return threads_ = count, *this; }
  Work& memory(MemPolicy memory) { return memory_ = std::move(memory), *this; }

  std::optional<int> worker_count() const { return workers_; }
  int thread_count() const { return threads_; }
  const WorkType& work_type() const { return type_; }
  SchedPolicy sched_policy() const { return policy_; }
  const Affinity& cpu_affinity() const { return affinity_; }
  const MemPolicy& memory_policy() const { return memory_; }

 private:
  std::optional<int> workers_;
  int threads_ = 1;
  WorkType type_;
  SchedPolicy policy_;
  Affinity affinity_;
  MemPolicy memory_;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_WORK_H_
