// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STATE_RUN_TABLE_H_
#define KTSTR_COORDINATOR_STATE_RUN_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "coordinator/store/store.h"

namespace ktstr::coordinator {

// A variant's changing part as stored, and what is only known in memory.
struct VariantEntry {
  VariantRecord record;
  v1::Phase phase = v1::PHASE_UNSPECIFIED;
  // Of the last change; greater is later.
  int64_t version = 0;
  // Number of the host's call that was answered with the current lease.
  int64_t given_in_call = 0;
};

// A run with counters and indices over its variants.
//
// Threads: passive; called under the mutex of its owner.
class RunEntry {
 public:
  // Takes one version for each variant and one for the run from the counter.
  RunEntry(int64_t number, StoredRun stored, int64_t& version);

  // Position in the order of creation.
  int64_t number() const { return number_; }
  const RunRecord& record() const { return record_; }
  int64_t version() const { return version_; }
  bool is_finished() const { return done_ == std::ssize(variants_); }
  const std::vector<VariantEntry>& variants() const { return variants_; }
  // Indices of PENDING variants, ascending.
  const std::set<int64_t>& pending() const { return pending_; }

  // Null when there is no such variant.
  const VariantEntry* Find(int64_t index) const;

  // The transitions of proto/fleet.proto.
  void Lease(int64_t index, int64_t epoch, const std::string& host_id,
             const std::string& incarnation, int64_t call, int64_t version);
  // Sets given_in_call alone.
  void NoteGiven(int64_t index, int64_t call);
  void Requeue(int64_t index, MissRecord miss, int64_t version);
  void Finish(int64_t index, v1::Outcome outcome, int64_t version);
  void SetPhase(int64_t index, v1::Phase phase, int64_t version);
  void MarkCancelled(int64_t version);

  // Without `excluded`.
  v1::Run ToProto() const;

  // At most `limit` variants changed after `after`, by version.
  std::vector<int64_t> ChangedAfter(int64_t after, size_t limit) const;

 private:
  void Touch(int64_t index, int64_t version);
  void SetState(int64_t index, v1::VariantState state, v1::Outcome outcome);

  const int64_t number_;
  RunRecord record_;
  int64_t version_ = 0;
  std::vector<VariantEntry> variants_;
  std::set<int64_t> pending_;
  int64_t done_ = 0;
  v1::RunCounts counts_;
  // (version, index), one entry a variant.
  std::set<std::pair<int64_t, int64_t>> changes_;
};

// Every run, by id.
//
// Threads: passive; called under the mutex of its owner.
class RunTable {
 public:
  // Null when unknown, here and below.
  RunEntry* Find(const std::string& run_id) const;
  const RunEntry* FindRequest(const std::string& request_id) const;

  // Versions as in RunEntry.
  RunEntry* Add(StoredRun stored, int64_t& version);
  void Clear();

  // Runs with PENDING or LEASED variants, oldest first.
  std::vector<RunEntry*> Unfinished() const;
  // All, oldest first.
  std::vector<RunEntry*> All() const;

 private:
  std::map<int64_t, std::unique_ptr<RunEntry>> runs_;
  absl::flat_hash_map<std::string, RunEntry*> by_id_;
  absl::flat_hash_map<std::string, RunEntry*> by_request_;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STATE_RUN_TABLE_H_
