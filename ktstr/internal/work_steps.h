// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the loops of work types are made of. Every wait ends within 100 ms of
// `stop`, and tells telemetry what of it was asked for.
#ifndef KTSTR_KTSTR_INTERNAL_WORK_STEPS_H_
#define KTSTR_KTSTR_INTERNAL_WORK_STEPS_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "ktstr/internal/telemetry.h"
#include "ktstr/internal/work_loops.h"
#include "ktstr/work_type.h"

namespace ktstr::internal {

inline constexpr uint32_t kSpinsPerIteration = 1024;

// `count` increments the optimiser cannot fold.
void Spin(uint32_t count);

// Sleeps `ns` in pieces; the part asked for is blocking, what came on top is
// the time until this worker ran again. A sleep cut short by stop is no sample.
enum class Sampling { kOff, kOn };
void Sleep(uint64_t ns, StopFlag stop, Telemetry& telemetry,
           Sampling sampling = Sampling::kOn);

// sched_yield, timed as a wake sample.
void SampledYield(Telemetry& telemetry);

// Waits while `*word` is `value`; a spurious return is possible.
void FutexWait(std::atomic<uint32_t>* word, uint32_t value);
void FutexWake(std::atomic<uint32_t>* word, int waiters);

// Sends the partner a byte and waits for one of its own: in `epoll_fd`, which
// watches the seat's read_fd, or in poll(2) for -1. False when stop came first;
// a partner that is gone counts as one that never answers.
bool ExchangeByte(const WorkerSeat& seat, StopFlag stop, Telemetry& telemetry,
                  int epoll_fd = -1);

// What the calling thread has had of CPU.
uint64_t ThreadCpuNs();

// An unlinked file of /tmp, written 16 blocks of 4 KiB at a time.
class ScratchFile {
 public:
  // `owner` stands in front of error messages.
  explicit ScratchFile(const char* owner) : owner_(owner) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile();

  static constexpr int kBlocks = 16;

  // Truncates the file (creates it the first time), writes kBlocks.
  absl::Status Rewrite();

 private:
  const char* const owner_;
  int fd_ = -1;
};

// A buffer walked by strided read-modify-writes.
class CacheWalk {
 public:
  CacheWalk(uint32_t size_kb, uint32_t stride);
  CacheWalk(const CacheWalk&) = delete;
  CacheWalk& operator=(const CacheWalk&) = delete;
  ~CacheWalk();

  // ResourceExhausted when the buffer could not be had.
  absl::Status status() const;

  // `count` steps on from where the last call ended.
  void Touch(uint32_t count);

 private:
  const uint64_t size_;
  const uint32_t stride_;
  volatile unsigned char* buffer_ = nullptr;
  uint64_t position_ = 0;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORK_STEPS_H_
