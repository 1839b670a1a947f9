// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/store/sqlite_connection.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ktstr::coordinator {

absl::Status SqliteError(sqlite3* db, int code, absl::string_view what) {
  std::string message = absl::StrCat(
      "store: ", what, ": ", db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
  switch (code & 0xff) {
    case SQLITE_OK:
      return absl::OkStatus();
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(message);
    case SQLITE_NOTADB:
      return absl::FailedPreconditionError(message);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

SqliteStatement::~SqliteStatement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

SqliteStatement& SqliteStatement::Int(int64_t value) {
  int result = sqlite3_bind_int64(statement_, next_++, value);
  if (result_ == SQLITE_OK) result_ = result;
  return *this;
}

SqliteStatement& SqliteStatement::Text(absl::string_view value) {
  int result = sqlite3_bind_text64(statement_, next_++, value.data(),
                                   value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (result_ == SQLITE_OK) result_ = result;
  return *this;
}

SqliteStatement& SqliteStatement::Blob(absl::string_view value) {
  int result = sqlite3_bind_blob64(statement_, next_++, value.data(),
                                   value.size(), SQLITE_TRANSIENT);
  if (result_ == SQLITE_OK) result_ = result;
  return *this;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  sqlite3* db = sqlite3_db_handle(statement_);
  if (result_ != SQLITE_OK) return SqliteError(db, result_, "bind");
  int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return SqliteError(db, result, sqlite3_sql(statement_));
}

absl::Status SqliteStatement::Run() { return Step().status(); }

int64_t SqliteStatement::ColumnInt(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string SqliteStatement::ColumnText(int column) const {
  return std::string(ColumnBytes(column));
}

absl::string_view SqliteStatement::ColumnBytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  int size = sqlite3_column_bytes(statement_, column);
  return {static_cast<const char*>(bytes), static_cast<size_t>(size)};
}

bool SqliteStatement::ColumnIsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

absl::StatusOr<SqliteConnection> SqliteConnection::Open(
    const std::string& path) {
  sqlite3* db = nullptr;
  int result = sqlite3_open_v2(
      path.c_str(), &db,
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      nullptr);
  SqliteConnection connection(db);
  if (result != SQLITE_OK) {
    return SqliteError(db, result, absl::StrCat("open ", path));
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 5000);
  return connection;
}

absl::Status SqliteConnection::Execute(const char* sql) {
  int result = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  return SqliteError(db_.get(), result, sql);
}

absl::StatusOr<SqliteStatement> SqliteConnection::Prepare(const char* sql) {
  auto it = statements_.find(sql);
  if (it == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    int result = sqlite3_prepare_v3(
        db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result != SQLITE_OK) return SqliteError(db_.get(), result, sql);
    it = statements_.emplace(sql, statement).first;
  }
  return SqliteStatement(it->second.get());
}

int64_t SqliteConnection::Changes() const {
  return sqlite3_changes64(db_.get());
}

}  // namespace ktstr::coordinator
