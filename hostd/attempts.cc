// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/attempts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hostd/classify.h"
#include "model/topology.h"

namespace ktstr::hostd {
namespace {

// The result of an attempt that never ran.
ktstr::v1::AttemptResult NotRun(const ktstr::v1::Attempt& attempt,
                                StopReason stop, absl::Status why) {
  Evidence evidence;
  evidence.stop = stop;
  evidence.preparation = std::move(why);
  Classification judged = Classify(evidence);
  ktstr::v1::AttemptResult result;
  *result.mutable_key() = attempt.key();
  result.set_outcome(judged.outcome);
  result.set_reason(judged.reason);
  for (auto& finding : judged.findings) {
    *result.add_findings() = std::move(finding);
  }
  return result;
}

}  // namespace

Attempts::Attempts(int cpus, Runner runner, OnNews on_news)
    : cpus_(cpus),
      runner_(std::move(runner)),
      on_news_(std::move(on_news)),
      free_cpus_(cpus) {}

Attempts::~Attempts() {
  StopAll(StopReason::kDraining, /*is_immediate=*/true);
  decltype(entries_) entries;
  absl::ReleasableMutexLock lock(&mutex_);
  auto are_finished = [this] {
    mutex_.AssertReaderHeld();
    return std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
      return entry.second->is_finished;
    });
  };
  mutex_.Await(absl::Condition(&are_finished));
  // The threads are on their way out: join them without the mutex.
  entries.swap(entries_);
  lock.Release();
}

Attempts::Key Attempts::KeyOf(const ktstr::v1::AttemptKey& key) {
  return {key.run_id(), key.variant(), key.epoch()};
}

int Attempts::CpusOf(const ktstr::v1::Attempt& attempt) const {
  auto topology = Topology::Parse(attempt.variant().topology());
  // A malformed topology is the runner's to refuse.
  return topology.ok() ? std::min(topology->cpus(), cpus_) : 1;
}

void Attempts::Describe(ktstr::v1::SynchronizeRequest* request) const {
  absl::MutexLock lock(&mutex_);
  size_t bytes = 0;
  for (const Key& key : finished_) {
    const Entry& entry = *entries_.at(key);
    bytes += entry.result.ByteSizeLong();
    if (request->finished_size() > 0 && bytes > kMaxFinishedBytes) {
      auto* running = request->add_running();
      *running->mutable_key() = entry.attempt.key();
      running->set_phase(ktstr::v1::SHUT_DOWN);
    } else {
      *request->add_finished() = entry.result;
    }
  }
  for (const auto& [key, entry] : entries_) {
    if (entry->is_finished) continue;
    auto* running = request->add_running();
    *running->mutable_key() = entry->attempt.key();
    running->set_phase(entry->phase);
  }
}

void Attempts::Reconcile(const ktstr::v1::SynchronizeResponse& response) {
  // Threads of acknowledged attempts, joined after the lock is released.
  std::vector<std::unique_ptr<Entry>> gone;
  absl::ReleasableMutexLock lock(&mutex_);
  for (const auto& acknowledged : response.acknowledged()) {
    Key key = KeyOf(acknowledged);
    auto found = entries_.find(key);
    if (found == entries_.end() || !found->second->is_finished) continue;
    finished_.erase(std::remove(finished_.begin(), finished_.end(), key),
                    finished_.end());
    gone.push_back(std::move(found->second));
    entries_.erase(found);
  }
  for (const auto& revoked : response.revoked()) RemoveRevokedLocked(revoked);
  for (const auto& attempt : response.leases()) AddLocked(attempt);
  StartWaitingLocked();
  lock.Release();
}

void Attempts::RemoveRevokedLocked(const ktstr::v1::AttemptKey& revoked) {
  Key key = KeyOf(revoked);
  auto found = entries_.find(key);
  if (found == entries_.end() || found->second->is_finished) return;
  Entry* entry = found->second.get();
  if (entry->is_started) {
    entry->control->Stop(StopReason::kRevoked);
    return;
  }
  waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), key),
                 waiting_.end());
  FinishLocked(key, entry,
               NotRun(entry->attempt, StopReason::kRevoked, absl::OkStatus()));
}

void Attempts::FinishLocked(const Key& key, Entry* entry,
                            ktstr::v1::AttemptResult result) {
  entry->result = std::move(result);
  entry->is_finished = true;
  finished_.push_back(key);
}

void Attempts::AddLocked(const ktstr::v1::Attempt& attempt) {
  Key key = KeyOf(attempt.key());
  if (entries_.count(key) != 0) return;
  auto entry = std::make_unique<Entry>();
  entry->attempt = attempt;
  entry->cpus = CpusOf(attempt);
  auto control = AttemptControl::Create(
      [this, key](ktstr::v1::Phase phase) { NotePhase(key, phase); });
  absl::Status status = control.status();
  if (entries_.size() >= kMaxHeld) {
    status = absl::ResourceExhaustedError(
        absl::StrCat("this host already holds ", entries_.size(), " attempts"));
  }
  if (status.ok()) {
    entry->control = *std::move(control);
    waiting_.push_back(key);
  } else {
    FinishLocked(key, entry.get(), NotRun(attempt, StopReason::kNone, status));
  }
  entries_.emplace(std::move(key), std::move(entry));
}

void Attempts::StartWaitingLocked() {
  while (!waiting_.empty()) {
    Key key = waiting_.front();
    Entry* entry = entries_.at(key).get();
    // Oldest first, so that a wide attempt is not passed by for ever.
    if (entry->cpus > free_cpus_) return;
    waiting_.pop_front();
    free_cpus_ -= entry->cpus;
    entry->is_started = true;
    entry->thread = Thread("attempt", [this, key, entry] { Run(key, entry); });
  }
}

void Attempts::Run(const Key& key, Entry* entry) {
  ktstr::v1::AttemptResult result =
      runner_(entry->attempt, entry->control.get());
  {
    absl::MutexLock lock(&mutex_);
    free_cpus_ += entry->cpus;
    StartWaitingLocked();
    FinishLocked(key, entry, std::move(result));
  }
  on_news_(News::kFinished);
}

void Attempts::NotePhase(const Key& key, ktstr::v1::Phase phase) {
  {
    absl::MutexLock lock(&mutex_);
    auto found = entries_.find(key);
    if (found == entries_.end()) return;
    found->second->phase = phase;
  }
  on_news_(News::kPhase);
}

void Attempts::StopAll(StopReason reason, bool is_immediate) {
  absl::MutexLock lock(&mutex_);
  for (const Key& key : std::exchange(waiting_, {})) {
    Entry* entry = entries_.at(key).get();
    FinishLocked(key, entry,
                 NotRun(entry->attempt, StopReason::kNone,
                        absl::UnavailableError("hostd went away before the "
                                               "attempt was started")));
  }
  for (auto& [key, entry] : entries_) {
    if (!entry->is_finished) entry->control->Stop(reason, is_immediate);
  }
}

bool Attempts::IsEmpty() const {
  absl::MutexLock lock(&mutex_);
  return entries_.empty();
}

bool Attempts::IsIdle() const {
  absl::MutexLock lock(&mutex_);
  return std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second->is_finished;
  });
}

}  // namespace ktstr::hostd
