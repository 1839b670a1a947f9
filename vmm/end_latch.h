// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_END_LATCH_H_
#define KTSTR_VMM_END_LATCH_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "model/machine_spec.h"

namespace ktstr::vmm {

// How the machine ended, once.
struct MachineOutcome {
  MachineEnd end = MachineEnd::kUnspecified;
  // Evidence in words; may be empty.
  std::string detail;
};

// Where vCPU and device threads say that the machine is over. The first one is
// right: what follows (a reset after a triple fault, a stop after a power-off)
// is a consequence.
//
// Threads: any.
class EndLatch {
 public:
  // False when the end was known already; nothing changes then.
  bool Set(MachineEnd end, std::string detail) {
    std::lock_guard lock(mutex_);
    if (is_set_) return false;
    outcome_ = {.end = end, .detail = std::move(detail)};
    is_set_ = true;
    changed_.notify_all();
    return true;
  }

  // Whether a vCPU should stop. Cheap.
  bool is_set() const { return is_set_; }

  // Blocks: until Set().
  MachineOutcome Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_set(); });
    return outcome_;
  }

  // As Wait(); nothing when `timeout` passes first.
  std::optional<MachineOutcome> WaitFor(absl::Duration timeout) {
    std::unique_lock lock(mutex_);
    bool is_over = changed_.wait_for(lock, absl::ToChronoNanoseconds(timeout),
                                     [this] { return is_set(); });
    if (!is_over) return std::nullopt;
    return outcome_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  MachineOutcome outcome_ ABSL_GUARDED_BY(mutex_);
  // Written under the mutex, read by anyone.
  std::atomic<bool> is_set_ = false;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_END_LATCH_H_
