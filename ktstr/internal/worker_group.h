// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_WORKER_GROUP_H_
#define KTSTR_KTSTR_INTERNAL_WORKER_GROUP_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "ktstr/internal/work_loops.h"
#include "ktstr/internal/worker_sample.h"
#include "ktstr/work.h"
#include "ktstr/worker_report.h"

namespace ktstr::internal {

// What to start.
struct WorkerGroupSpec {
  WorkType type;
  SchedPolicy policy;
  MemPolicy memory;
  int workers = 0;
  int threads = 1;  // of each worker
  // One list a worker, or none at all; an empty list is no affinity call.
  std::vector<std::vector<int>> affinities;
  uint64_t seed = 0;
  bool is_steal_aware = false;
};

// The worker processes of one work group.
//
// Shape:    spawned -> (moved into a cgroup by pid) -> Start -> StopAndCollect.
//           Each worker is a process group of its own, dies with the thread
//           that spawned it, and is addressed by pidfd.
// Threads:  one thread, always the same: the kernel ties the workers' lives to
//           the thread that forked them. Other threads of the process may hold
//           locks at the fork; the child touches none of the parent's.
// Lifetime: the destructor kills and reaps what was not collected; it blocks
//           until the kernel has ended the processes.
class WorkerGroup {
 public:
  // How long StopAndCollect waits for reports, all workers together.
  static constexpr absl::Duration kCollectTimeout = absl::Seconds(5);

  // Forks the workers; they wait for Start().
  //
  // Errors:
  //   InvalidArgument    no workers, more than kMaxWorkers, or a count that is
  //                      no multiple of the type's group size; parameters out
  //                      of range; threads where the type has none.
  //   others             the mapping of errno of pipe, mmap, fork, pidfd_open;
  //                      nothing is left behind.
  static absl::StatusOr<std::unique_ptr<WorkerGroup>> Spawn(
      WorkerGroupSpec spec);
  static constexpr int kMaxWorkers = 4096;
  static constexpr int kMaxThreads = 256;

  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;
  ~WorkerGroup();

  // Lets the workers begin. A second call does nothing.
  //
  // Blocks: until every worker is in its loop or has ended, for at most
  //         kStartTimeout: what a worker measures from its loop on is the same
  //         stretch of time for all of them. One that takes longer (it is not
  //         given a CPU) is left to the checks.
  absl::Status Start();
  static constexpr absl::Duration kStartTimeout = absl::Seconds(5);

  // In spawn order.
  const std::vector<pid_t>& pids() const { return pids_; }
  const WorkerGroupSpec& spec() const { return spec_; }

  // The workers' live counters in spawn order, and their sum; they only grow.
  std::vector<uint64_t> Iterations() const;
  uint64_t TotalIterations() const;

  // What each worker has done so far, in spawn order.
  std::vector<WorkerSample> Sample() const;

  // FailedPrecondition for a worker that is gone, else the mapping of errno.
  absl::Status SetAffinity(int worker, const std::vector<int>& cpus);

  // Brackets a change of where the workers may run. What a worker sees in
  // between counts for no placement; epoch() after the second call is the one
  // the new placement will be judged under.
  void BeginPlacementChange();
  void EndPlacementChange();
  uint32_t epoch() const;

  // Whether the test has stopped every worker (their cgroup is frozen): the
  // time in between is not held against them. Say so after they have stopped,
  // and before they go on.
  void SetFrozen(bool is_frozen);
  // For how long that has been so until now.
  absl::Duration frozen() const;

  // Tells the workers to stop without waiting, so that several groups end at
  // the same time. A second call does nothing.
  void RequestStop();

  // Stops the workers and returns one report each, in spawn order: their own,
  // or one made up from how they ended. Always ends every process; takes at
  // most `timeout` plus the time of the kernel to kill.
  std::vector<WorkerReport> StopAndCollect(
      absl::Duration timeout = kCollectTimeout);

 private:
  struct Shared;
  struct Worker {
    UniqueFd pidfd;
    UniqueFd report;
    std::string bytes;
    bool is_reaped = false;
    WorkerExit exit;
  };

  explicit WorkerGroup(WorkerGroupSpec spec) : spec_(std::move(spec)) {}

  absl::Status MapShared();
  absl::Status Fork(int index, int start_fd, int working_fd);
  void AwaitWorking();
  absl::StatusOr<WorkerSeat> SeatOf(int index);
  absl::Status OpenChannel();
  void ReadReports(absl::Duration timeout);
  void KillAll();
  void Reap(Worker& worker);
  WorkerReport ReportOf(int index);

  const WorkerGroupSpec spec_;
  std::vector<pid_t> pids_;
  std::vector<Worker> workers_;
  UniqueFd start_;    // write end
  UniqueFd working_;  // read end
  // Of the pair being forked. Pipes: [0] to its first, [1] to its second
  // worker; of a socket pair each has one end, in `first`.
  std::pair<UniqueFd, UniqueFd> channel_[2];
  bool is_started_ = false;
  bool is_stopping_ = false;
  std::optional<absl::Duration> frozen_since_;
  Shared* shared_ = nullptr;
  size_t shared_size_ = 0;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORKER_GROUP_H_
