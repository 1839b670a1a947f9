// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A process that commits results and says so is killed; whatever it said is
// there afterwards, and nothing twice.

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "coordinator/store/sqlite_store.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

constexpr int kVariants = 400;
constexpr int kKills = 12;

v1::AttemptResult PassOf(int64_t variant) {
  v1::AttemptResult result;
  result.mutable_key()->set_run_id("r");
  result.mutable_key()->set_variant(variant);
  result.mutable_key()->set_epoch(1);
  result.set_outcome(v1::PASS);
  result.set_console_tail(std::string(4096, 'c'));
  return result;
}

void CreateRun(SqliteStore& store) {
  std::unique_ptr<Transaction> transaction = store.Begin();
  std::vector<VariantDraft> drafts(kVariants);
  ASSERT_OK(transaction->CreateRun({.run_id = "r", .request_id = "q"}, drafts));
  ASSERT_OK(transaction->Commit());
}

// In the child: claims and accepts what is still open, one byte to `acks` per
// commit. Never returns.
[[noreturn]] void WorkUntilKilled(const std::string& path, int acks) {
  auto store = SqliteStore::Open(path).value();
  const std::vector<StoredRun> runs = store->LoadRuns().value();
  for (const VariantRecord& variant : runs[0].variants) {
    if (variant.state == v1::DONE) continue;
    const v1::AttemptResult result = PassOf(variant.index);
    std::unique_ptr<Transaction> transaction = store->Begin();
    if (variant.state == v1::PENDING) {
      transaction->Claim(result.key(), "h", "i").value().value();
    }
    absl::StatusOr<bool> accepted = transaction->Accept(result);
    absl::Status committed = transaction->Commit();
    if (!accepted.value_or(false) || !committed.ok()) {
      fprintf(stderr, "variant %d: %s, %s\n", static_cast<int>(variant.index),
              accepted.status().ToString().c_str(),
              committed.ToString().c_str());
      _exit(1);
    }
    if (write(acks, "x", 1) != 1) _exit(2);
  }
  _exit(0);
}

// Starts the child, kills it after `kill_after` acknowledgements; all it made.
int AcknowledgedBeforeKill(const std::string& path, int kill_after) {
  int pipe_fds[2];
  EXPECT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  pid_t child = fork();
  if (child == 0) WorkUntilKilled(path, pipe_fds[1]);
  UniqueFd reader(pipe_fds[0]);
  close(pipe_fds[1]);
  int acknowledged = 0;
  char byte;
  while (read(reader.get(), &byte, 1) == 1) {
    if (++acknowledged == kill_after) kill(child, SIGKILL);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << status;
  return acknowledged;
}

TEST(CrashTest, NothingAcknowledgedIsLost) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("crash"));
  const std::string path = JoinPath(dir.path(), "db");
  {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<SqliteStore> store,
                         SqliteStore::Open(path));
    CreateRun(*store);
  }
  int acknowledged = 0;
  for (int i = 0; i < kKills; ++i) {
    acknowledged += AcknowledgedBeforeKill(path, 3 + 5 * i % 17);
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<SqliteStore> store,
                         SqliteStore::Open(path));
    ASSERT_OK_AND_ASSIGN(std::vector<StoredRun> runs, store->LoadRuns());
    int done = 0;
    for (const VariantRecord& variant : runs.at(0).variants) {
      if (variant.state != v1::DONE) continue;
      ++done;
      ASSERT_OK_AND_ASSIGN(std::vector<VariantDetails> details,
                           store->ReadVariants("r", {variant.index}));
      EXPECT_TRUE(details[0].result.has_value());
    }
    // A commit whose acknowledgement was cut off may be there as well.
    EXPECT_GE(done, acknowledged);
    EXPECT_LE(done, acknowledged + i + 1);
  }
}

}  // namespace
}  // namespace ktstr::coordinator
