// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STORE_SQLITE_STORE_H_
#define KTSTR_COORDINATOR_STORE_SQLITE_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/store/sqlite_connection.h"
#include "coordinator/store/store.h"

namespace ktstr::coordinator {

// A store in one SQLite file: write-ahead log, synchronous=FULL, so that a
// commit is on the disk when it returns. One connection writes, one reads.
//
// Shape: `PRAGMA user_version` is the schema's number, kSchemaVersion; tables
//        are described where they are created, in the .cc file.
class SqliteStore : public Store {
 public:
  static constexpr int kSchemaVersion = 1;

  // Opens or creates the file.
  //
  // Errors:
  //   FailedPrecondition  the file has a newer schema, or is no database.
  //   Internal and others as SQLite reports them, with the path.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(
      const std::string& path);

  std::unique_ptr<Transaction> Begin() override;
  absl::StatusOr<std::vector<StoredRun>> LoadRuns() override;
  absl::StatusOr<std::vector<VariantDetails>> ReadVariants(
      const std::string& run_id, absl::Span<const int64_t> indices) override;
  absl::StatusOr<std::vector<v1::AttemptResult>> ReadEvidence(
      const std::string& run_id) override;

 private:
  SqliteStore(SqliteConnection writer, SqliteConnection reader)
      : writer_(std::move(writer)), reader_(std::move(reader)) {}

  SqliteConnection writer_;  // of the one open transaction
  absl::Mutex reader_mutex_;
  SqliteConnection reader_ ABSL_GUARDED_BY(reader_mutex_);
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STORE_SQLITE_STORE_H_
