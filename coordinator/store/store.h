// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the coordinator must not forget.
#ifndef KTSTR_COORDINATOR_STORE_STORE_H_
#define KTSTR_COORDINATOR_STORE_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "proto/attempt.pb.h"
#include "proto/fleet.pb.h"

namespace ktstr::coordinator {

// A run as submitted; constant but for `is_cancelled`.
struct RunRecord {
  std::string run_id;
  std::string request_id;
  absl::Time created_at;  // microseconds are kept
  uint64_t seed = 0;
  int max_attempts = 0;
  std::string project_commit;
  bool is_cancelled = false;
  std::vector<v1::Exclusion> excluded;
};

// An attempt that ended without a counted result.
struct MissRecord {
  std::string host_id;
  std::string reason;
};

// A variant's changing part, without its specification and result.
struct VariantRecord {
  int64_t index = 0;
  v1::VariantState state = v1::PENDING;
  int64_t epoch = 0;
  // Of the current or last lease.
  std::string host_id;
  std::string incarnation;
  // Only when DONE.
  v1::Outcome outcome = v1::OUTCOME_UNSPECIFIED;
  // Taken of a host; placement/policy.h, kWholeHost.
  int cpus = 0;
  int64_t memory_mib = 0;
  std::vector<MissRecord> missed;  // oldest first
};

struct StoredRun {
  RunRecord run;
  std::vector<VariantRecord> variants;  // by index
};

// A variant to be created, PENDING with epoch 0.
struct VariantDraft {
  v1::VariantSpec spec;
  // Taken of a host; placement/policy.h, kWholeHost.
  int cpus = 0;
};

// What GetRun and WatchRun add to a variant's changing part.
struct VariantDetails {
  v1::VariantSpec spec;
  // Absent until DONE, and for a variant cancelled before any attempt.
  std::optional<v1::AttemptResult> result;
};

// One transaction. All of it is stored or nothing.
//
// Threads:  one at a time per store; whoever begins one excludes the others.
// Lifetime: the destructor undoes what was not committed.
// Errors:   any status but OK means that the store itself failed; then only
//           destruction makes sense. A refusal is `false`, not an error.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // `run.run_id` and `run.request_id` are not in use.
  virtual absl::Status CreateRun(const RunRecord& run,
                                 absl::Span<const VariantDraft> variants) = 0;

  // PENDING -> LEASED as attempt `key.epoch`, which must be the last epoch plus
  // one. Returns the specification, or nothing when refused.
  virtual absl::StatusOr<std::optional<v1::VariantSpec>> Claim(
      const v1::AttemptKey& key, const std::string& host_id,
      const std::string& incarnation) = 0;

  // LEASED -> DONE with this result, only for the current epoch.
  virtual absl::StatusOr<bool> Accept(const v1::AttemptResult& result) = 0;

  // LEASED -> PENDING, only for the current epoch; the reason is kept.
  virtual absl::StatusOr<bool> Requeue(const v1::AttemptKey& key,
                                       const MissRecord& miss) = 0;

  // Marks the run cancelled; every PENDING variant becomes DONE, CANCELLED.
  virtual absl::Status CancelRun(const std::string& run_id) = 0;

  // Keeps a result that was not counted, for people. The first of an attempt
  // stays; a result equal to the accepted one is not kept again.
  virtual absl::Status KeepEvidence(const v1::AttemptResult& result,
                                    absl::string_view why) = 0;

  // Once OK, everything survives kill -9 and power loss.
  virtual absl::Status Commit() = 0;
};

// Threads: Begin() by one thread at a time; the reads by any thread at any
//          time, seeing committed transactions only.
class Store {
 public:
  virtual ~Store() = default;

  virtual std::unique_ptr<Transaction> Begin() = 0;

  // Everything, by creation.
  virtual absl::StatusOr<std::vector<StoredRun>> LoadRuns() = 0;

  // In the order of `indices`. NotFound names an unknown run or index.
  virtual absl::StatusOr<std::vector<VariantDetails>> ReadVariants(
      const std::string& run_id, absl::Span<const int64_t> indices) = 0;

  // Uncounted results of a run, by variant and epoch.
  virtual absl::StatusOr<std::vector<v1::AttemptResult>> ReadEvidence(
      const std::string& run_id) = 0;
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STORE_STORE_H_
