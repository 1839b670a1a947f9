// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/store/memory_store.h"

#include "absl/strings/str_cat.h"

namespace ktstr::coordinator {

class MemoryStore::MemoryTransaction : public Transaction {
 public:
  MemoryTransaction(MemoryStore* store, Content content)
      : store_(store), content_(std::move(content)) {}

  absl::Status CreateRun(const RunRecord& run,
                         absl::Span<const VariantDraft> variants) override {
    if (content_.runs.contains(run.run_id)) {
      return absl::InternalError(absl::StrCat("run exists: ", run.run_id));
    }
    Run& stored = content_.runs[run.run_id];
    content_.order.push_back(run.run_id);
    stored.run = run;
    for (const VariantDraft& draft : variants) {
      StoredVariant variant;
      variant.record.index = stored.variants.size();
      variant.record.cpus = draft.cpus;
      variant.record.memory_mib = draft.spec.memory_mib();
      variant.details.spec = draft.spec;
      stored.variants.push_back(std::move(variant));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<v1::VariantSpec>> Claim(
      const v1::AttemptKey& key, const std::string& host_id,
      const std::string& incarnation) override {
    StoredVariant* variant = Find(key, v1::PENDING, key.epoch() - 1);
    if (variant == nullptr) return std::nullopt;
    variant->record.state = v1::LEASED;
    variant->record.epoch = key.epoch();
    variant->record.host_id = host_id;
    variant->record.incarnation = incarnation;
    return variant->details.spec;
  }

  absl::StatusOr<bool> Accept(const v1::AttemptResult& result) override {
    StoredVariant* variant =
        Find(result.key(), v1::LEASED, result.key().epoch());
    if (variant == nullptr) return false;
    variant->record.state = v1::DONE;
    variant->record.outcome = result.outcome();
    variant->details.result = result;
    return true;
  }

  absl::StatusOr<bool> Requeue(const v1::AttemptKey& key,
                               const MissRecord& miss) override {
    StoredVariant* variant = Find(key, v1::LEASED, key.epoch());
    if (variant == nullptr) return false;
    variant->record.state = v1::PENDING;
    variant->record.missed.push_back(miss);
    return true;
  }

  absl::Status CancelRun(const std::string& run_id) override {
    Run& run = content_.runs[run_id];
    run.run.is_cancelled = true;
    for (StoredVariant& variant : run.variants) {
      if (variant.record.state != v1::PENDING) continue;
      variant.record.state = v1::DONE;
      variant.record.outcome = v1::CANCELLED;
    }
    return absl::OkStatus();
  }

  absl::Status KeepEvidence(const v1::AttemptResult& result,
                            absl::string_view) override {
    auto run = content_.runs.find(result.key().run_id());
    if (run == content_.runs.end()) return absl::OkStatus();
    int64_t index = result.key().variant();
    if (index >= 0 && index < std::ssize(run->second.variants)) {
      const auto& accepted = run->second.variants[index].details.result;
      if (accepted.has_value() &&
          accepted->SerializeAsString() == result.SerializeAsString()) {
        return absl::OkStatus();
      }
    }
    run->second.evidence.emplace(std::pair(index, result.key().epoch()),
                                 result);
    return absl::OkStatus();
  }

  absl::Status Commit() override {
    absl::MutexLock lock(&store_->mutex_);
    if (!store_->commit_status_.ok()) return store_->commit_status_;
    store_->content_ = std::move(content_);
    return absl::OkStatus();
  }

 private:
  StoredVariant* Find(const v1::AttemptKey& key, v1::VariantState state,
                      int64_t epoch) {
    auto run = content_.runs.find(key.run_id());
    if (run == content_.runs.end() || key.variant() < 0 ||
        key.variant() >= std::ssize(run->second.variants)) {
      return nullptr;
    }
    StoredVariant& variant = run->second.variants[key.variant()];
    bool is_match =
        variant.record.state == state && variant.record.epoch == epoch;
    return is_match ? &variant : nullptr;
  }

  MemoryStore* const store_;
  Content content_;
};

std::unique_ptr<Transaction> MemoryStore::Begin() {
  absl::MutexLock lock(&mutex_);
  return std::make_unique<MemoryTransaction>(this, content_);
}

absl::StatusOr<std::vector<StoredRun>> MemoryStore::LoadRuns() {
  absl::MutexLock lock(&mutex_);
  std::vector<StoredRun> runs;
  for (const std::string& run_id : content_.order) {
    const Run& run = content_.runs.at(run_id);
    StoredRun& stored = runs.emplace_back();
    stored.run = run.run;
    for (const StoredVariant& variant : run.variants) {
      stored.variants.push_back(variant.record);
    }
  }
  return runs;
}

absl::StatusOr<std::vector<VariantDetails>> MemoryStore::ReadVariants(
    const std::string& run_id, absl::Span<const int64_t> indices) {
  absl::MutexLock lock(&mutex_);
  std::vector<VariantDetails> details;
  auto run = content_.runs.find(run_id);
  for (int64_t index : indices) {
    if (run == content_.runs.end() || index < 0 ||
        index >= std::ssize(run->second.variants)) {
      return absl::NotFoundError(
          absl::StrCat("no variant ", index, " in run ", run_id));
    }
    details.push_back(run->second.variants[index].details);
  }
  return details;
}

absl::StatusOr<std::vector<v1::AttemptResult>> MemoryStore::ReadEvidence(
    const std::string& run_id) {
  absl::MutexLock lock(&mutex_);
  std::vector<v1::AttemptResult> evidence;
  auto run = content_.runs.find(run_id);
  if (run == content_.runs.end()) return evidence;
  for (const auto& [key, result] : run->second.evidence) {
    evidence.push_back(result);
  }
  return evidence;
}

void MemoryStore::FailCommits(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  commit_status_ = std::move(status);
}

}  // namespace ktstr::coordinator
