// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_TELEMETRY_H_
#define KTSTR_KTSTR_INTERNAL_TELEMETRY_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "ktstr/internal/seed.h"
#include "ktstr/internal/worker_sample.h"
#include "ktstr/worker_report.h"

namespace ktstr::internal {

// Deltas of /proc/thread-self/schedstat.
struct Schedstat {
  uint64_t cpu_ns = 0;
  uint64_t run_delay_ns = 0;
  uint64_t run_count = 0;
};

// Those of a file as /proc/<pid>/schedstat; unset when the kernel has none.
std::optional<Schedstat> ReadSchedstatFile(const char* path);

// What a worker can ask about time and place. A fake moves when told.
class WorkerProbe {
 public:
  virtual ~WorkerProbe() = default;
  virtual uint64_t NowNs() = 0;      // monotonic
  virtual uint64_t CpuTimeNs() = 0;  // this thread's CPU clock
  virtual int Cpu() = 0;             // where this thread runs, at this moment
  virtual std::optional<Schedstat> ReadSchedstat() = 0;
  // Nanoseconds the host took from each CPU since boot; index is the CPU.
  // Empty when unknown.
  virtual std::vector<uint64_t> ReadStealNs() = 0;
  // See WorkerReport.
  virtual std::map<int, uint64_t> ReadNumaPages() = 0;
  virtual std::optional<uint64_t> ReadPagesMigrated() = 0;
};

// The kernel's answers; one for each thread.
std::unique_ptr<WorkerProbe> MakeWorkerProbe();

// The "cpuN" lines of /proc/stat: the eighth number, in units of 10 ms.
std::vector<uint64_t> ParseStealNs(const char* text, size_t size);

// A worker's account of itself, kept from loop entry to stop.
//
// A checkpoint follows every outer iteration, whatever the work type: gaps are
// time between two checkpoints less the blocking the worker asked for, so that
// types which sleep or wait are judged like the others.
//
// Threads: one; a worker with several has one of these for each.
class Telemetry {
 public:
  struct Options {
    WorkerProbe* probe = nullptr;
    // In memory shared with the parent and with other threads; both may be
    // null.
    LiveCounters* live = nullptr;
    // Even: a placement is in force; odd: it is being changed.
    const std::atomic<uint32_t>* placement_epoch = nullptr;
    // For how long the test itself has stopped this worker so far; complete by
    // the time the worker goes on. That is no gap and no latency.
    const std::atomic<uint64_t>* frozen_ns = nullptr;
    uint64_t seed = 0;
    // Read the CPUs' steal time (about ten times a second) and take it out of
    // the gaps.
    bool is_steal_aware = false;
  };

  explicit Telemetry(const Options& options);

  // Loop entry: starts the clocks.
  void Begin();

  // Ends one outer iteration that did `units` units of work.
  void EndIteration(uint64_t units);

  // `units` units of an iteration that goes on, and a checkpoint.
  void Progress(uint64_t units);

  // `ns` of the current iteration were blocking the worker wanted.
  void Blocked(uint64_t ns);

  // One sleep or wait took `ns` until this worker ran again.
  void Woke(uint64_t ns);

  // Takes the pages now, before the work gives its memory back; without a call
  // Finish() does.
  void NotePages();

  uint64_t NowNs() { return options_.probe->NowNs(); }

  // Stop: the finished report, `completed`.
  WorkerReport Finish();

 private:
  // The clock, and how long the worker had been frozen until then.
  struct Moment {
    uint64_t ns = 0;
    uint64_t frozen_ns = 0;
  };

  Moment Now() const;
  uint64_t FrozenNs() const;
  void NotePlace(uint64_t now);
  void NoteGap(const Moment& now);
  uint64_t StolenSinceRefresh(int cpu, const std::vector<uint64_t>& steal);
  void RefreshSteal(uint64_t now);

  const Options options_;
  SeededStream random_;
  WorkerReport report_;
  Moment begin_;
  uint64_t begin_cpu_ns_ = 0;
  Moment last_checkpoint_;
  uint64_t blocked_since_checkpoint_ns_ = 0;
  uint64_t frozen_at_wake_ns_ = 0;
  int cpu_ = -1;
  std::optional<Schedstat> begin_schedstat_;
  std::optional<uint64_t> begin_pages_migrated_;
  std::optional<Residence> last_residence_;
  std::vector<uint64_t> steal_;
  uint64_t steal_read_ns_ = 0;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_TELEMETRY_H_
