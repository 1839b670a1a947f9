// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// For tests with real workers: they run until their counters have moved.
#ifndef KTSTR_KTSTR_INTERNAL_WORKER_RUNS_H_
#define KTSTR_KTSTR_INTERNAL_WORKER_RUNS_H_

#include <sched.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "ktstr/internal/worker_group.h"

namespace ktstr::internal {

// Null, and a failed expectation, when they cannot be spawned.
inline std::unique_ptr<WorkerGroup> Spawn(WorkerGroupSpec spec) {
  absl::StatusOr<std::unique_ptr<WorkerGroup>> group =
      WorkerGroup::Spawn(std::move(spec));
  EXPECT_OK(group);
  return group.ok() ? *std::move(group) : nullptr;
}

// Until `condition` holds; false when a minute is over.
inline bool AwaitThat(const std::function<bool()>& condition) {
  const absl::Duration deadline = RealClock().Monotonic() + absl::Minutes(1);
  while (!condition()) {
    if (RealClock().Monotonic() > deadline) return false;
    sched_yield();
  }
  return true;
}

// Until each worker did `iterations`.
inline bool AwaitIterations(const WorkerGroup& group, uint64_t iterations) {
  return AwaitThat([&] {
    std::vector<uint64_t> counts = group.Iterations();
    return *std::min_element(counts.begin(), counts.end()) >= iterations;
  });
}

// The reports of workers that did at least `iterations` each.
inline std::vector<WorkerReport> RunUntil(WorkerGroupSpec spec,
                                          uint64_t iterations) {
  std::unique_ptr<WorkerGroup> group = Spawn(std::move(spec));
  if (group == nullptr) return {};
  EXPECT_OK(group->Start());
  EXPECT_TRUE(AwaitIterations(*group, iterations));
  return group->StopAndCollect();
}

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORKER_RUNS_H_
