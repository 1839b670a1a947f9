// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_CLOCK_H_
#define KTSTR_BASE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace ktstr {

// Where a component reads the time.
//
// Threads: every method may be called from any thread.
class Clock {
 public:
  virtual ~Clock() = default;

  // Wall time, for what people read. May step.
  virtual absl::Time Now() = 0;

  // Time since an arbitrary start, for deadlines and durations. Never goes
  // back.
  virtual absl::Duration Monotonic() = 0;
};

// The machine's clocks (CLOCK_REALTIME, CLOCK_MONOTONIC). Lives forever.
Clock& RealClock();

// Moves only when told; tests move it instead of sleeping.
class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::FromUnixSeconds(1000000000))
      : now_(start), start_(start) {}

  absl::Time Now() override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }
  absl::Duration Monotonic() override {
    absl::MutexLock lock(&mutex_);
    return now_ - start_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mutex_);
    now_ += by;
  }

 private:
  absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  const absl::Time start_;
};

}  // namespace ktstr

#endif  // KTSTR_BASE_CLOCK_H_
