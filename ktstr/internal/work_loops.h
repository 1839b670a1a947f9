// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_WORK_LOOPS_H_
#define KTSTR_KTSTR_INTERNAL_WORK_LOOPS_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "ktstr/internal/telemetry.h"
#include "ktstr/work_type.h"

namespace ktstr::internal {

// What the workers of one group share; all zero at the start.
struct GroupWords {
  // The futex: whose turn it is, a lock, or the low half of `generation`.
  alignas(64) std::atomic<uint32_t> futex{0};
  alignas(64) std::atomic<uint64_t> generation{0};
  // When generation g was announced, at [g % 2]; see FanOutComputeLoop.
  std::atomic<uint64_t> announced_ns[2] = {0, 0};
};

// Where a worker stands in its work group.
struct WorkerSeat {
  // 0 is the first of its group: messenger of a fan-out, first of a pair.
  int place = 0;
  // Null for types without groups.
  GroupWords* group = nullptr;
  // Pipes from and to the partner, non-blocking; -1 for types without.
  int read_fd = -1;
  int write_fd = -1;
  // Of the worker's own random choices.
  uint64_t seed = 0;
};

// Runs `type` until `stop`, keeping `telemetry`. Blocking calls look at `stop`
// at least every 100 ms.
//
// Errors: those of the files, memory and processes the type needs, and of
// scheduling calls it makes; the loop ended there.
absl::Status RunWorkLoop(const WorkType& type, const WorkerSeat& seat,
                         StopFlag stop, Telemetry& telemetry);

// Whether this seat only wakes others.
bool IsMessenger(const WorkType& type, const WorkerSeat& seat);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORK_LOOPS_H_
