// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_WORK_LOOPS_H_
#define KTSTR_KTSTR_INTERNAL_WORK_LOOPS_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "ktstr/internal/telemetry.h"
#include "ktstr/work.h"

namespace ktstr::internal {

// Where a worker stands in its work group.
struct WorkerSeat {
  int index = 0;
  // The word its group (pair) shares; null for types without one.
  std::atomic<uint32_t>* group_word = nullptr;
};

// Runs `type` until `stop`, keeping `telemetry`. Blocking calls look at `stop`
// at least every 100 ms.
//
// Errors: those of the files and processes the type needs; the loop ended
// there.
absl::Status RunWorkLoop(const WorkType& type, const WorkerSeat& seat,
                         StopFlag stop, Telemetry& telemetry);

// `count` increments the optimiser cannot fold.
void Spin(uint32_t count);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORK_LOOPS_H_
