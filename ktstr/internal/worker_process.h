// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_WORKER_PROCESS_H_
#define KTSTR_KTSTR_INTERNAL_WORKER_PROCESS_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "ktstr/internal/work_loops.h"
#include "ktstr/internal/worker_sample.h"
#include "ktstr/work.h"

namespace ktstr::internal {

// Everything a forked worker needs, prepared by the parent before the fork.
struct WorkerAssignment {
  const WorkType* type = nullptr;
  SchedPolicy policy;
  const MemPolicy* memory = nullptr;
  int threads = 1;
  std::vector<int> affinity;  // empty: no call
  WorkerSeat seat;
  LiveCounters* live = nullptr;
  const std::atomic<uint32_t>* placement_epoch = nullptr;
  const std::atomic<uint64_t>* frozen_ns = nullptr;
  bool is_steal_aware = false;
  pid_t parent = 0;
  // Read end of the start pipe (one byte a worker), write ends of the pipe that
  // takes a byte once the worker is in its loop and of the report pipe. Every
  // other descriptor above 2 is closed, but for those of the seat.
  int start_fd = -1;
  int working_fd = -1;
  int report_fd = -1;
};

// The whole life of a worker process: called in the child right after fork with
// SIGUSR1 blocked, leaves by _exit: 0 after a report, 1 when no start came
// within 30 s or the parent is gone, 2 when the report could not be written.
[[noreturn]] void RunWorkerProcess(const WorkerAssignment& assignment);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORKER_PROCESS_H_
