// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STORE_SQLITE_CONNECTION_H_
#define KTSTR_COORDINATOR_STORE_SQLITE_CONNECTION_H_

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::coordinator {

// A prepared statement being executed: bind in order, then Step() or Run().
//
// Lifetime: borrowed from its connection, valid until the same text is prepared
//           again. Bound text and bytes are copied.
// Errors:   Step and Run report the first failed bind as well.
class SqliteStatement {
 public:
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  SqliteStatement(SqliteStatement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)),
        next_(other.next_),
        result_(other.result_) {}
  ~SqliteStatement();

  SqliteStatement& Int(int64_t value);
  SqliteStatement& Text(absl::string_view value);
  SqliteStatement& Blob(absl::string_view value);

  // Advances to the next row; false at the end.
  absl::StatusOr<bool> Step();
  // Executes a statement without rows.
  absl::Status Run();

  // Columns of the current row, from 0.
  int64_t ColumnInt(int column) const;
  std::string ColumnText(int column) const;
  // Valid until the next Step().
  absl::string_view ColumnBytes(int column) const;
  bool ColumnIsNull(int column) const;

 private:
  sqlite3_stmt* statement_;
  int next_ = 1;
  int result_ = SQLITE_OK;
};

// One connection to a database file, with its prepared statements.
//
// Threads: one at a time.
class SqliteConnection {
 public:
  static absl::StatusOr<SqliteConnection> Open(const std::string& path);

  // Executes statements without parameters and rows.
  absl::Status Execute(const char* sql);

  // `sql` is a literal: statements are kept by its address.
  absl::StatusOr<SqliteStatement> Prepare(const char* sql);

  // Rows changed by the last statement.
  int64_t Changes() const;

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const {
      sqlite3_finalize(statement);
    }
  };

  explicit SqliteConnection(sqlite3* db) : db_(db) {}

  std::unique_ptr<sqlite3, Close> db_;
  // Destroyed before the connection.
  std::map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
};

// SQLITE_FULL is ResourceExhausted, SQLITE_NOTADB FailedPrecondition,
// SQLITE_BUSY Unavailable, the rest Internal.
absl::Status SqliteError(sqlite3* db, int code, absl::string_view what);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STORE_SQLITE_CONNECTION_H_
