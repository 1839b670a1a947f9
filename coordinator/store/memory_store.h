// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STORE_MEMORY_STORE_H_
#define KTSTR_COORDINATOR_STORE_MEMORY_STORE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/store/store.h"

namespace ktstr::coordinator {

// A store that forgets when it is destroyed; for tests. Keeps every promise of
// Store but durability, by working on a copy that Commit() swaps in.
class MemoryStore : public Store {
 public:
  struct StoredVariant {
    VariantRecord record;
    VariantDetails details;
  };
  struct Run {
    RunRecord run;
    std::vector<StoredVariant> variants;
    std::map<std::pair<int64_t, int64_t>, v1::AttemptResult> evidence;
  };
  struct Content {
    std::vector<std::string> order;
    std::map<std::string, Run> runs;
  };

  std::unique_ptr<Transaction> Begin() override;
  absl::StatusOr<std::vector<StoredRun>> LoadRuns() override;
  absl::StatusOr<std::vector<VariantDetails>> ReadVariants(
      const std::string& run_id, absl::Span<const int64_t> indices) override;
  absl::StatusOr<std::vector<v1::AttemptResult>> ReadEvidence(
      const std::string& run_id) override;

  // From now on commits fail with this status; OK ends it.
  void FailCommits(absl::Status status);

 private:
  class MemoryTransaction;

  absl::Mutex mutex_;
  Content content_ ABSL_GUARDED_BY(mutex_);
  absl::Status commit_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STORE_MEMORY_STORE_H_
