// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_ATTEMPTS_H_
#define KTSTR_HOSTD_ATTEMPTS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/thread.h"
#include "hostd/attempt_control.h"
#include "proto/attempt.pb.h"
#include "proto/hosts.pb.h"

namespace ktstr::hostd {

// What this host works on: leases that wait for CPUs, run, or have a result
// that the coordinator has not acknowledged.
//
// Threads: any; each running attempt has a thread of its own, which also starts
//          its vmm and lives until that is reaped.
class Attempts {
 public:
  // Runs one attempt to its end on the calling thread.
  using Runner = std::function<ktstr::v1::AttemptResult(
      const ktstr::v1::Attempt&, AttemptControl*)>;
  // What is called, without locks held, when there is news for the coordinator.
  enum class News { kPhase, kFinished };
  using OnNews = std::function<void(News)>;

  // Leases beyond this many are answered with a MISS.
  static constexpr size_t kMaxHeld = 4096;
  // Results of one request together have at most about this many bytes.
  static constexpr size_t kMaxFinishedBytes = 3 << 20;

  // What `on_news` refers to outlives this object.
  Attempts(int cpus, Runner runner, OnNews on_news);

  // Stops what runs (immediately) and waits for it.
  ~Attempts();

  // Fills in `running` and `finished`. A result that does not fit any more is
  // listed as running until the next call.
  void Describe(ktstr::v1::SynchronizeRequest* request) const;

  // Drops what was acknowledged, stops what was revoked (it becomes a CANCELLED
  // result, which is the confirmation), starts what was leased. A lease that is
  // already here changes nothing.
  void Reconcile(const ktstr::v1::SynchronizeResponse& response);

  // Ends every attempt; their results are MISS and wait for acknowledgement.
  void StopAll(StopReason reason, bool is_immediate);

  // Nothing waits, runs or needs to be acknowledged.
  bool IsEmpty() const;
  // Nothing waits or runs.
  bool IsIdle() const;

 private:
  using Key = std::tuple<std::string, int64_t, int64_t>;
  struct Entry {
    ktstr::v1::Attempt attempt;
    int cpus = 0;
    std::unique_ptr<AttemptControl> control;
    ktstr::v1::Phase phase = ktstr::v1::PHASE_UNSPECIFIED;
    bool is_started = false;
    bool is_finished = false;
    ktstr::v1::AttemptResult result;
    Thread thread;
  };

  static Key KeyOf(const ktstr::v1::AttemptKey& key);
  int CpusOf(const ktstr::v1::Attempt& attempt) const;
  void AddLocked(const ktstr::v1::Attempt& attempt)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StartWaitingLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RemoveRevokedLocked(const ktstr::v1::AttemptKey& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishLocked(const Key& key, Entry* entry,
                    ktstr::v1::AttemptResult result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Run(const Key& key, Entry* entry);
  void NotePhase(const Key& key, ktstr::v1::Phase phase);

  const int cpus_;
  const Runner runner_;
  const OnNews on_news_;

  mutable absl::Mutex mutex_;
  int free_cpus_ ABSL_GUARDED_BY(mutex_);
  // Addresses of entries are stable; an entry with a thread is only erased
  // after it finished.
  std::map<Key, std::unique_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
  // Waiting for CPUs, oldest first.
  std::deque<Key> waiting_ ABSL_GUARDED_BY(mutex_);
  // Results in order of their end.
  std::deque<Key> finished_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_ATTEMPTS_H_
