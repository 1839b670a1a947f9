// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_MUTEX_H_
#define KTSTR_BASE_MUTEX_H_

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"

namespace ktstr {

// A std::mutex that thread annotations understand. For code that is tested
// under the thread sanitizer: it follows this one, but not absl::Mutex, whose
// system library is not instrumented.
class ABSL_LOCKABLE Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { mutex_.lock(); }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    const bool has_waiters = waiters_ > 0;
    mutex_.unlock();
    if (has_waiters) unlocked_.notify_all();
  }

  // Gives the mutex up until `is_true()` holds, which is asked (holding it)
  // each time another thread has unlocked it. REQUIRES: held.
  template <typename Predicate>
  void Await(Predicate is_true) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
    // What the caller changed may be what another one waits for.
    if (waiters_++ > 0) unlocked_.notify_all();
    unlocked_.wait(lock, is_true);
    --waiters_;
    lock.release();
  }

  // The same, for at most `timeout`; whether it holds. REQUIRES: held.
  template <typename Predicate>
  bool AwaitFor(absl::Duration timeout,
                Predicate is_true) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex_, std::adopt_lock);
    if (waiters_++ > 0) unlocked_.notify_all();
    // Longer ones would overflow the clock.
    timeout = std::min(timeout, absl::Hours(24 * 365));
    bool holds =
        unlocked_.wait_for(lock, absl::ToChronoNanoseconds(timeout), is_true);
    --waiters_;
    lock.release();
    return holds;
  }

 private:
  std::mutex mutex_;
  std::condition_variable unlocked_;
  int waiters_ = 0;  // guarded by mutex_
};

// Holds the mutex for the scope.
class ABSL_SCOPED_LOCKABLE MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }

 private:
  Mutex* const mutex_;
};

}  // namespace ktstr

#endif  // KTSTR_BASE_MUTEX_H_
