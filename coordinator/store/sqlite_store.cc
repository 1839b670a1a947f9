// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/store/sqlite_store.h"

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace ktstr::coordinator {
namespace {

// Enum columns hold the numbers of proto/fleet.proto and proto/outcome.proto,
// which never change; blobs are serialized messages of the type named.
constexpr char kSchema[] = R"(
  CREATE TABLE runs (
    run INTEGER PRIMARY KEY,         -- order of creation
    run_id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL,     -- since 1970, UTC
    seed INTEGER NOT NULL,           -- its 64 bits
    max_attempts INTEGER NOT NULL,
    project_commit TEXT NOT NULL,
    is_cancelled INTEGER NOT NULL,
    excluded BLOB NOT NULL);         -- SubmitResponse, only `excluded`
  CREATE TABLE variants (
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    state INTEGER NOT NULL,          -- VariantState
    epoch INTEGER NOT NULL,
    host_id TEXT NOT NULL,
    incarnation TEXT NOT NULL,
    outcome INTEGER NOT NULL,        -- Outcome
    cpus INTEGER NOT NULL,
    memory_mib INTEGER NOT NULL,
    PRIMARY KEY (run, idx)) WITHOUT ROWID;
  CREATE TABLE specs (
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    spec BLOB NOT NULL,              -- VariantSpec
    PRIMARY KEY (run, idx));
  CREATE TABLE results (             -- counted ones
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    result BLOB NOT NULL,            -- AttemptResult
    PRIMARY KEY (run, idx));
  CREATE TABLE missed (
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    host_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, idx, epoch)) WITHOUT ROWID;
  CREATE TABLE evidence (            -- results that were not counted
    run INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    why TEXT NOT NULL,
    result BLOB NOT NULL,            -- AttemptResult
    PRIMARY KEY (run, idx, epoch));
  PRAGMA user_version = 1;
)";

constexpr char kRunOf[] = "SELECT run FROM runs WHERE run_id = ?";

absl::StatusOr<std::optional<int64_t>> RunNumber(SqliteConnection& db,
                                                 const std::string& run_id) {
  ABSL_ASSIGN_OR_RETURN(SqliteStatement select, db.Prepare(kRunOf));
  ABSL_ASSIGN_OR_RETURN(bool has_row, select.Text(run_id).Step());
  if (!has_row) return std::nullopt;
  return select.ColumnInt(0);
}

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("store: ", what, " is not a serialized message"));
}

// Begins with its first statement, so that an idle transaction costs nothing.
class SqliteTransaction : public Transaction {
 public:
  explicit SqliteTransaction(SqliteConnection* db) : db_(*db) {}
  ~SqliteTransaction() override {
    if (has_begun_) db_.Execute("ROLLBACK").IgnoreError();
  }

  absl::Status CreateRun(const RunRecord& run,
                         absl::Span<const VariantDraft> variants) override {
    ABSL_RETURN_IF_ERROR(BeginIfNeeded());
    ABSL_RETURN_IF_ERROR(InsertRun(run));
    ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> number,
                          RunNumber(db_, run.run_id));
    for (size_t i = 0; i < variants.size(); ++i) {
      ABSL_RETURN_IF_ERROR(InsertVariant(*number, i, variants[i]));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<v1::VariantSpec>> Claim(
      const v1::AttemptKey& key, const std::string& host_id,
      const std::string& incarnation) override {
    ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, Find(key.run_id()));
    if (!run.has_value()) return std::nullopt;
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement update,
        db_.Prepare("UPDATE variants SET state = ?, epoch = ?, host_id = ?, "
                    "incarnation = ? WHERE run = ? AND idx = ? AND state = ? "
                    "AND epoch = ? - 1"));
    ABSL_RETURN_IF_ERROR(update.Int(v1::LEASED)
                             .Int(key.epoch())
                             .Text(host_id)
                             .Text(incarnation)
                             .Int(*run)
                             .Int(key.variant())
                             .Int(v1::PENDING)
                             .Int(key.epoch())
                             .Run());
    if (db_.Changes() != 1) return std::nullopt;
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement select,
        db_.Prepare("SELECT spec FROM specs WHERE run = ? AND idx = ?"));
    ABSL_ASSIGN_OR_RETURN(bool has_row,
                          select.Int(*run).Int(key.variant()).Step());
    v1::VariantSpec spec;
    absl::string_view bytes = has_row ? select.ColumnBytes(0) : "";
    if (!has_row || !spec.ParseFromArray(bytes.data(), bytes.size())) {
      return Damaged("a variant's specification");
    }
    return spec;
  }

  absl::StatusOr<bool> Accept(const v1::AttemptResult& result) override {
    const v1::AttemptKey& key = result.key();
    ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, Find(key.run_id()));
    if (!run.has_value()) return false;
    ABSL_ASSIGN_OR_RETURN(bool is_ended,
                          EndLease(*run, key, v1::DONE, result.outcome()));
    if (!is_ended) return false;
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        db_.Prepare("INSERT INTO results (run, idx, result) VALUES (?, ?, ?)"));
    ABSL_RETURN_IF_ERROR(insert.Int(*run)
                             .Int(key.variant())
                             .Blob(result.SerializeAsString())
                             .Run());
    return true;
  }

  absl::StatusOr<bool> Requeue(const v1::AttemptKey& key,
                               const MissRecord& miss) override {
    ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, Find(key.run_id()));
    if (!run.has_value()) return false;
    ABSL_ASSIGN_OR_RETURN(bool is_ended, EndLease(*run, key, v1::PENDING,
                                                  v1::OUTCOME_UNSPECIFIED));
    if (!is_ended) return false;
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        db_.Prepare("INSERT INTO missed (run, idx, epoch, host_id, reason) "
                    "VALUES (?, ?, ?, ?, ?)"));
    ABSL_RETURN_IF_ERROR(insert.Int(*run)
                             .Int(key.variant())
                             .Int(key.epoch())
                             .Text(miss.host_id)
                             .Text(miss.reason)
                             .Run());
    return true;
  }

  absl::Status CancelRun(const std::string& run_id) override {
    ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, Find(run_id));
    if (!run.has_value()) return absl::OkStatus();
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement mark,
        db_.Prepare("UPDATE runs SET is_cancelled = 1 WHERE run = ?"));
    ABSL_RETURN_IF_ERROR(mark.Int(*run).Run());
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement update,
        db_.Prepare("UPDATE variants SET state = ?, outcome = ? WHERE run = ? "
                    "AND state = ?"));
    return update.Int(v1::DONE)
        .Int(v1::CANCELLED)
        .Int(*run)
        .Int(v1::PENDING)
        .Run();
  }

  absl::Status KeepEvidence(const v1::AttemptResult& result,
                            absl::string_view why) override {
    const v1::AttemptKey& key = result.key();
    ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, Find(key.run_id()));
    if (!run.has_value()) return absl::OkStatus();
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        db_.Prepare("INSERT OR IGNORE INTO evidence "
                    "SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 "
                    "FROM results WHERE run = ?1 AND idx = ?2 AND result = "
                    "?5)"));
    return insert.Int(*run)
        .Int(key.variant())
        .Int(key.epoch())
        .Text(why)
        .Blob(result.SerializeAsString())
        .Run();
  }

  absl::Status Commit() override {
    if (!has_begun_) return absl::OkStatus();
    ABSL_RETURN_IF_ERROR(db_.Execute("COMMIT"));
    has_begun_ = false;
    return absl::OkStatus();
  }

 private:
  absl::Status BeginIfNeeded() {
    if (has_begun_) return absl::OkStatus();
    ABSL_RETURN_IF_ERROR(db_.Execute("BEGIN IMMEDIATE"));
    has_begun_ = true;
    return absl::OkStatus();
  }

  absl::StatusOr<std::optional<int64_t>> Find(const std::string& run_id) {
    ABSL_RETURN_IF_ERROR(BeginIfNeeded());
    return RunNumber(db_, run_id);
  }

  // False, and nothing changed, when the lease is not of this epoch.
  absl::StatusOr<bool> EndLease(int64_t run, const v1::AttemptKey& key,
                                v1::VariantState next, v1::Outcome outcome) {
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement update,
        db_.Prepare("UPDATE variants SET state = ?, outcome = ? WHERE run = ? "
                    "AND idx = ? AND state = ? AND epoch = ?"));
    ABSL_RETURN_IF_ERROR(update.Int(next)
                             .Int(outcome)
                             .Int(run)
                             .Int(key.variant())
                             .Int(v1::LEASED)
                             .Int(key.epoch())
                             .Run());
    return db_.Changes() == 1;
  }

  absl::Status InsertRun(const RunRecord& run) {
    v1::SubmitResponse excluded;
    excluded.mutable_excluded()->Assign(run.excluded.begin(),
                                        run.excluded.end());
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        db_.Prepare("INSERT INTO runs (run_id, request_id, created_us, seed, "
                    "max_attempts, project_commit, is_cancelled, excluded) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"));
    return insert.Text(run.run_id)
        .Text(run.request_id)
        .Int(absl::ToUnixMicros(run.created_at))
        .Int(static_cast<int64_t>(run.seed))
        .Int(run.max_attempts)
        .Text(run.project_commit)
        .Int(run.is_cancelled)
        .Blob(excluded.SerializeAsString())
        .Run();
  }

  absl::Status InsertVariant(int64_t run, int64_t index,
                             const VariantDraft& draft) {
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement variant,
        db_.Prepare("INSERT INTO variants VALUES (?, ?, ?, 0, '', '', 0, ?, "
                    "?)"));
    ABSL_RETURN_IF_ERROR(variant.Int(run)
                             .Int(index)
                             .Int(v1::PENDING)
                             .Int(draft.cpus)
                             .Int(draft.spec.memory_mib())
                             .Run());
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement spec,
        db_.Prepare("INSERT INTO specs (run, idx, spec) VALUES (?, ?, ?)"));
    return spec.Int(run).Int(index).Blob(draft.spec.SerializeAsString()).Run();
  }

  SqliteConnection& db_;
  bool has_begun_ = false;
};

absl::StatusOr<SqliteConnection> Connect(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(SqliteConnection db, SqliteConnection::Open(path));
  ABSL_RETURN_IF_ERROR(db.Execute("PRAGMA journal_mode = WAL"));
  ABSL_RETURN_IF_ERROR(db.Execute("PRAGMA synchronous = FULL"));
  return db;
}

absl::Status MigrateSchema(SqliteConnection& db, const std::string& path) {
  int64_t version = 0;
  {
    ABSL_ASSIGN_OR_RETURN(SqliteStatement read,
                          db.Prepare("PRAGMA user_version"));
    ABSL_RETURN_IF_ERROR(read.Step().status());
    version = read.ColumnInt(0);
  }
  if (version == SqliteStore::kSchemaVersion) return absl::OkStatus();
  if (version != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " has schema version ", version, ", this program knows ",
        SqliteStore::kSchemaVersion, "; use the newer program"));
  }
  ABSL_RETURN_IF_ERROR(db.Execute("BEGIN IMMEDIATE"));
  ABSL_RETURN_IF_ERROR(db.Execute(kSchema));
  return db.Execute("COMMIT");
}

absl::StatusOr<RunRecord> ReadRun(const SqliteStatement& row) {
  RunRecord run;
  run.run_id = row.ColumnText(1);
  run.request_id = row.ColumnText(2);
  run.created_at = absl::FromUnixMicros(row.ColumnInt(3));
  run.seed = static_cast<uint64_t>(row.ColumnInt(4));
  run.max_attempts = row.ColumnInt(5);
  run.project_commit = row.ColumnText(6);
  run.is_cancelled = row.ColumnInt(7) != 0;
  v1::SubmitResponse excluded;
  absl::string_view bytes = row.ColumnBytes(8);
  if (!excluded.ParseFromArray(bytes.data(), bytes.size())) {
    return Damaged("a run's list of exclusions");
  }
  run.excluded.assign(excluded.excluded().begin(), excluded.excluded().end());
  return run;
}

VariantRecord ReadVariant(const SqliteStatement& row) {
  VariantRecord variant;
  variant.index = row.ColumnInt(1);
  variant.state = static_cast<v1::VariantState>(row.ColumnInt(2));
  variant.epoch = row.ColumnInt(3);
  variant.host_id = row.ColumnText(4);
  variant.incarnation = row.ColumnText(5);
  variant.outcome = static_cast<v1::Outcome>(row.ColumnInt(6));
  variant.cpus = row.ColumnInt(7);
  variant.memory_mib = row.ColumnInt(8);
  return variant;
}

absl::Status LoadVariants(SqliteConnection& db,
                          const absl::flat_hash_map<int64_t, size_t>& position,
                          std::vector<StoredRun>& runs) {
  ABSL_ASSIGN_OR_RETURN(
      SqliteStatement variants,
      db.Prepare("SELECT run, idx, state, epoch, host_id, incarnation, "
                 "outcome, cpus, memory_mib FROM variants ORDER BY run, idx"));
  while (true) {
    ABSL_ASSIGN_OR_RETURN(bool has_row, variants.Step());
    if (!has_row) break;
    runs[position.at(variants.ColumnInt(0))].variants.push_back(
        ReadVariant(variants));
  }
  ABSL_ASSIGN_OR_RETURN(SqliteStatement missed,
                        db.Prepare("SELECT run, idx, host_id, reason FROM "
                                   "missed ORDER BY run, idx, epoch"));
  while (true) {
    ABSL_ASSIGN_OR_RETURN(bool has_row, missed.Step());
    if (!has_row) return absl::OkStatus();
    runs[position.at(missed.ColumnInt(0))]
        .variants.at(missed.ColumnInt(1))
        .missed.push_back({missed.ColumnText(2), missed.ColumnText(3)});
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(
    const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(SqliteConnection writer, Connect(path));
  ABSL_RETURN_IF_ERROR(MigrateSchema(writer, path));
  ABSL_ASSIGN_OR_RETURN(SqliteConnection reader, Connect(path));
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(std::move(writer), std::move(reader)));
}

std::unique_ptr<Transaction> SqliteStore::Begin() {
  return std::make_unique<SqliteTransaction>(&writer_);
}

absl::StatusOr<std::vector<StoredRun>> SqliteStore::LoadRuns() {
  absl::MutexLock lock(&reader_mutex_);
  std::vector<StoredRun> runs;
  absl::flat_hash_map<int64_t, size_t> position;
  ABSL_ASSIGN_OR_RETURN(
      SqliteStatement select,
      reader_.Prepare(
          "SELECT run, run_id, request_id, created_us, seed, max_attempts, "
          "project_commit, is_cancelled, excluded FROM runs ORDER BY run"));
  while (true) {
    ABSL_ASSIGN_OR_RETURN(bool has_row, select.Step());
    if (!has_row) break;
    position[select.ColumnInt(0)] = runs.size();
    ABSL_ASSIGN_OR_RETURN(RunRecord run, ReadRun(select));
    runs.push_back({.run = std::move(run)});
  }
  ABSL_RETURN_IF_ERROR(LoadVariants(reader_, position, runs));
  return runs;
}

absl::StatusOr<std::vector<VariantDetails>> SqliteStore::ReadVariants(
    const std::string& run_id, absl::Span<const int64_t> indices) {
  absl::MutexLock lock(&reader_mutex_);
  ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, RunNumber(reader_, run_id));
  std::vector<VariantDetails> all;
  for (int64_t index : indices) {
    ABSL_ASSIGN_OR_RETURN(
        SqliteStatement select,
        reader_.Prepare("SELECT spec, result FROM specs LEFT JOIN results "
                        "USING (run, idx) WHERE run = ? AND idx = ?"));
    ABSL_ASSIGN_OR_RETURN(bool has_row,
                          select.Int(run.value_or(-1)).Int(index).Step());
    if (!has_row) {
      return absl::NotFoundError(
          absl::StrCat("no variant ", index, " in run ", run_id));
    }
    VariantDetails& details = all.emplace_back();
    absl::string_view spec = select.ColumnBytes(0);
    if (!details.spec.ParseFromArray(spec.data(), spec.size())) {
      return Damaged("a variant's specification");
    }
    if (select.ColumnIsNull(1)) continue;
    absl::string_view result = select.ColumnBytes(1);
    if (!details.result.emplace().ParseFromArray(result.data(),
                                                 result.size())) {
      return Damaged("a result");
    }
  }
  return all;
}

absl::StatusOr<std::vector<v1::AttemptResult>> SqliteStore::ReadEvidence(
    const std::string& run_id) {
  absl::MutexLock lock(&reader_mutex_);
  ABSL_ASSIGN_OR_RETURN(std::optional<int64_t> run, RunNumber(reader_, run_id));
  ABSL_ASSIGN_OR_RETURN(SqliteStatement select,
                        reader_.Prepare("SELECT result FROM evidence WHERE run "
                                        "= ? ORDER BY idx, epoch"));
  select.Int(run.value_or(-1));
  std::vector<v1::AttemptResult> evidence;
  while (true) {
    ABSL_ASSIGN_OR_RETURN(bool has_row, select.Step());
    if (!has_row) return evidence;
    absl::string_view bytes = select.ColumnBytes(0);
    if (!evidence.emplace_back().ParseFromArray(bytes.data(), bytes.size())) {
      return Damaged("an uncounted result");
    }
  }
}

}  // namespace ktstr::coordinator
