// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/state/run_table.h"

#include <utility>

#include "base/proto_time.h"

namespace ktstr::coordinator {
namespace {

// Adds `by` to the counter the variant belongs to.
void Count(const VariantRecord& variant, int by, v1::RunCounts& counts) {
  if (variant.state == v1::PENDING) {
    return counts.set_pending(counts.pending() + by);
  }
  if (variant.state == v1::LEASED) {
    return counts.set_leased(counts.leased() + by);
  }
  switch (variant.outcome) {
    case v1::PASS:
      return counts.set_passed(counts.passed() + by);
    case v1::FAIL:
      return counts.set_failed(counts.failed() + by);
    case v1::ERROR:
      return counts.set_errors(counts.errors() + by);
    case v1::SKIP:
      return counts.set_skipped(counts.skipped() + by);
    case v1::CANCELLED:
      return counts.set_cancelled(counts.cancelled() + by);
    default:
      return counts.set_missed(counts.missed() + by);
  }
}

}  // namespace

RunEntry::RunEntry(int64_t number, StoredRun stored, int64_t& version)
    : number_(number), record_(std::move(stored.run)) {
  counts_.set_total(stored.variants.size());
  variants_.reserve(stored.variants.size());
  for (VariantRecord& record : stored.variants) {
    if (record.state == v1::PENDING) pending_.insert(record.index);
    if (record.state == v1::DONE) ++done_;
    Count(record, 1, counts_);
    changes_.insert({++version, record.index});
    variants_.push_back({.record = std::move(record), .version = version});
  }
  version_ = ++version;
}

const VariantEntry* RunEntry::Find(int64_t index) const {
  if (index < 0 || index >= std::ssize(variants_)) return nullptr;
  return &variants_[index];
}

void RunEntry::Lease(int64_t index, int64_t epoch, const std::string& host_id,
                     const std::string& incarnation, int64_t call,
                     int64_t version) {
  VariantEntry& variant = variants_[index];
  variant.record.epoch = epoch;
  variant.record.host_id = host_id;
  variant.record.incarnation = incarnation;
  variant.given_in_call = call;
  variant.phase = v1::PHASE_UNSPECIFIED;
  SetState(index, v1::LEASED, v1::OUTCOME_UNSPECIFIED);
  Touch(index, version);
}

void RunEntry::NoteGiven(int64_t index, int64_t call) {
  variants_[index].given_in_call = call;
}

void RunEntry::Requeue(int64_t index, MissRecord miss, int64_t version) {
  variants_[index].record.missed.push_back(std::move(miss));
  variants_[index].phase = v1::PHASE_UNSPECIFIED;
  SetState(index, v1::PENDING, v1::OUTCOME_UNSPECIFIED);
  Touch(index, version);
}

void RunEntry::Finish(int64_t index, v1::Outcome outcome, int64_t version) {
  SetState(index, v1::DONE, outcome);
  Touch(index, version);
}

void RunEntry::SetPhase(int64_t index, v1::Phase phase, int64_t version) {
  if (variants_[index].phase == phase) return;
  variants_[index].phase = phase;
  Touch(index, version);
}

void RunEntry::MarkCancelled(int64_t version) {
  record_.is_cancelled = true;
  version_ = version;
}

void RunEntry::SetState(int64_t index, v1::VariantState state,
                        v1::Outcome outcome) {
  VariantRecord& variant = variants_[index].record;
  Count(variant, -1, counts_);
  variant.state = state;
  variant.outcome = outcome;
  Count(variant, 1, counts_);
  if (state == v1::PENDING) {
    pending_.insert(index);
  } else {
    pending_.erase(index);
  }
  if (state == v1::DONE) ++done_;
}

void RunEntry::Touch(int64_t index, int64_t version) {
  changes_.erase({variants_[index].version, index});
  changes_.insert({version, index});
  variants_[index].version = version;
  version_ = version;
}

v1::Run RunEntry::ToProto() const {
  v1::Run run;
  run.set_run_id(record_.run_id);
  *run.mutable_created_at() = ToProtoTime(record_.created_at);
  *run.mutable_counts() = counts_;
  run.set_is_finished(is_finished());
  run.set_is_cancelled(record_.is_cancelled);
  run.set_seed(record_.seed);
  return run;
}

std::vector<int64_t> RunEntry::ChangedAfter(int64_t after, size_t limit) const {
  std::vector<int64_t> indices;
  for (auto it = changes_.upper_bound({after, INT64_MAX});
       it != changes_.end() && indices.size() < limit; ++it) {
    indices.push_back(it->second);
  }
  return indices;
}

RunEntry* RunTable::Find(const std::string& run_id) const {
  auto it = by_id_.find(run_id);
  return it == by_id_.end() ? nullptr : it->second;
}

const RunEntry* RunTable::FindRequest(const std::string& request_id) const {
  auto it = by_request_.find(request_id);
  return it == by_request_.end() ? nullptr : it->second;
}

RunEntry* RunTable::Add(StoredRun stored, int64_t& version) {
  const int64_t number = runs_.empty() ? 0 : runs_.rbegin()->first + 1;
  auto entry = std::make_unique<RunEntry>(number, std::move(stored), version);
  RunEntry* run = entry.get();
  by_id_[run->record().run_id] = run;
  by_request_[run->record().request_id] = run;
  runs_.emplace(number, std::move(entry));
  return run;
}

void RunTable::Clear() {
  by_id_.clear();
  by_request_.clear();
  runs_.clear();
}

std::vector<RunEntry*> RunTable::Unfinished() const {
  std::vector<RunEntry*> runs;
  for (const auto& [number, run] : runs_) {
    if (!run->is_finished()) runs.push_back(run.get());
  }
  return runs;
}

std::vector<RunEntry*> RunTable::All() const {
  std::vector<RunEntry*> runs;
  for (const auto& [number, run] : runs_) runs.push_back(run.get());
  return runs;
}

}  // namespace ktstr::coordinator
