// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_WORK_H_
#define KTSTR_KTSTR_WORK_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ktstr/memory_policy.h"
#include "ktstr/work_type.h"

namespace ktstr {

// Scheduling policy of a worker. A policy that cannot be applied fails the
// test.
struct SchedPolicy {
  enum class Kind { kNormal, kBatch, kIdle, kFifo, kRoundRobin };

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

  // "fifo(1)".
  std::string ToString() const;

  Kind kind = Kind::kNormal;
  int priority = 0;

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
  Work& memory(MemPolicy memory) { return memory_ = std::move(memory), *this; }

  std::optional<int> worker_count() const { return workers_; }
  const WorkType& work_type() const { return type_; }
  SchedPolicy sched_policy() const { return policy_; }
  const Affinity& cpu_affinity() const { return affinity_; }
  const MemPolicy& memory_policy() const { return memory_; }

 private:
  std::optional<int> workers_;
  WorkType type_;
  SchedPolicy policy_;
  Affinity affinity_;
  MemPolicy memory_;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_WORK_H_
