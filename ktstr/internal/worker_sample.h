// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_WORKER_SAMPLE_H_
#define KTSTR_KTSTR_INTERNAL_WORKER_SAMPLE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>

#include "ktstr/internal/wake_histogram.h"

namespace ktstr::internal {

// What a worker publishes while it runs, in memory shared with its parent; all
// of it only grows.
//
// Threads: the worker's threads add, anybody reads; values are not atomic
//          together.
struct LiveCounters {
  std::atomic<uint64_t> iterations{0};
  std::atomic<uint64_t> work_units{0};
  std::atomic<uint32_t> wakes[kWakeBuckets] = {};
};

// What a worker had done at one moment, or between two.
struct WorkerSample {
  int pid = 0;
  uint64_t iterations = 0;
  uint64_t work_units = 0;
  // Of the kernel, which counts a running task's CPU time by ticks; unset
  // without schedstat.
  std::optional<uint64_t> cpu_ns;
  std::optional<uint64_t> run_delay_ns;
  std::map<uint32_t, uint64_t> wakes;  // bucket -> count, where not zero

  // Field by field, floored at zero.
  WorkerSample Since(const WorkerSample& earlier) const;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORKER_SAMPLE_H_
