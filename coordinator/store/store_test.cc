// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The contract of store.h, held against every implementation.
#include "coordinator/store/store.h"

#include <memory>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/status_matchers.h"
#include "coordinator/store/memory_store.h"
#include "coordinator/store/sqlite_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StoreTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("store"));
    dir_ = std::make_unique<TempDir>(std::move(dir));
    Open();
  }

  void Open() {
    if (!IsSqlite()) {
      if (store_ == nullptr) store_ = std::make_unique<MemoryStore>();
      return;
    }
    store_.reset();
    ASSERT_OK_AND_ASSIGN(store_,
                         SqliteStore::Open(JoinPath(dir_->path(), "db")));
  }

  bool IsSqlite() const { return GetParam(); }

  void CreateRun(const std::string& id, int variants) {
    RunRecord run = {.run_id = id,
                     .request_id = "request-" + id,
                     .created_at = absl::FromUnixMicros(1234567890123456),
                     .seed = 0xfedcba9876543210,
                     .max_attempts = 3,
                     .project_commit = "abc"};
    run.excluded.emplace_back().set_reason("too wide");
    std::vector<VariantDraft> drafts;
    for (int i = 0; i < variants; ++i) {
      VariantDraft& draft = drafts.emplace_back();
      draft.spec.set_name("variant-" + std::to_string(i));
      draft.spec.set_memory_mib(512);
      draft.cpus = 4;
    }
    std::unique_ptr<Transaction> transaction = store_->Begin();
    ASSERT_OK(transaction->CreateRun(run, drafts));
    ASSERT_OK(transaction->Commit());
  }

  static v1::AttemptKey Key(const std::string& run, int64_t variant,
                            int64_t epoch) {
    v1::AttemptKey key;
    key.set_run_id(run);
    key.set_variant(variant);
    key.set_epoch(epoch);
    return key;
  }

  static v1::AttemptResult Result(const v1::AttemptKey& key,
                                  v1::Outcome outcome,
                                  const std::string& reason = "") {
    v1::AttemptResult result;
    *result.mutable_key() = key;
    result.set_outcome(outcome);
    result.set_reason(reason);
    return result;
  }

  bool Claim(const v1::AttemptKey& key) {
    std::unique_ptr<Transaction> transaction = store_->Begin();
    auto spec = transaction->Claim(key, "h1", "i1");
    EXPECT_OK(spec);
    EXPECT_OK(transaction->Commit());
    return spec.ok() && spec->has_value();
  }

  bool Accept(const v1::AttemptResult& result) {
    std::unique_ptr<Transaction> transaction = store_->Begin();
    absl::StatusOr<bool> accepted = transaction->Accept(result);
    EXPECT_OK(accepted);
    EXPECT_OK(transaction->Commit());
    return accepted.value_or(false);
  }

  bool Requeue(const v1::AttemptKey& key, const std::string& reason) {
    std::unique_ptr<Transaction> transaction = store_->Begin();
    absl::StatusOr<bool> requeued =
        transaction->Requeue(key, {.host_id = "h1", .reason = reason});
    EXPECT_OK(requeued);
    EXPECT_OK(transaction->Commit());
    return requeued.value_or(false);
  }

  VariantRecord Variant(int64_t index) {
    return store_->LoadRuns().value().at(0).variants.at(index);
  }

  std::unique_ptr<TempDir> dir_;
  std::unique_ptr<Store> store_;
};

INSTANTIATE_TEST_SUITE_P(All, StoreTest, ::testing::Bool(),
                         [](const auto& info) {
                           return info.param ? "Sqlite" : "Memory";
                         });

TEST_P(StoreTest, StartsEmpty) {
  EXPECT_THAT(store_->LoadRuns(), IsOkAndHolds(IsEmpty()));
}

TEST_P(StoreTest, RunComesBackAsCreated) {
  CreateRun("b", 2);
  CreateRun("a", 1);
  Open();
  ASSERT_OK_AND_ASSIGN(std::vector<StoredRun> runs, store_->LoadRuns());
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].run.run_id, "b");
  EXPECT_EQ(runs[0].run.request_id, "request-b");
  EXPECT_EQ(runs[0].run.created_at, absl::FromUnixMicros(1234567890123456));
  EXPECT_EQ(runs[0].run.seed, 0xfedcba9876543210);
  EXPECT_EQ(runs[0].run.max_attempts, 3);
  EXPECT_EQ(runs[0].run.project_commit, "abc");
  ASSERT_THAT(runs[0].run.excluded, SizeIs(1));
  EXPECT_EQ(runs[0].run.excluded[0].reason(), "too wide");
  ASSERT_THAT(runs[0].variants, SizeIs(2));
  EXPECT_EQ(runs[0].variants[1].index, 1);
  EXPECT_EQ(runs[0].variants[1].state, v1::PENDING);
  EXPECT_EQ(runs[0].variants[1].cpus, 4);
  EXPECT_EQ(runs[0].variants[1].memory_mib, 512);
}

TEST_P(StoreTest, ReadsVariantsInTheOrderAsked) {
  CreateRun("r", 3);
  ASSERT_OK_AND_ASSIGN(std::vector<VariantDetails> details,
                       store_->ReadVariants("r", {2, 0}));
  ASSERT_THAT(details, SizeIs(2));
  EXPECT_EQ(details[0].spec.name(), "variant-2");
  EXPECT_EQ(details[1].spec.name(), "variant-0");
  EXPECT_FALSE(details[0].result.has_value());
  EXPECT_THAT(store_->ReadVariants("r", {3}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(store_->ReadVariants("x", {0}),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_P(StoreTest, UncommittedIsUndone) {
  CreateRun("r", 1);
  {
    std::unique_ptr<Transaction> transaction = store_->Begin();
    ASSERT_OK(transaction->Claim(Key("r", 0, 1), "h1", "i1"));
  }
  EXPECT_EQ(Variant(0).state, v1::PENDING);
  EXPECT_TRUE(Claim(Key("r", 0, 1)));
}

TEST_P(StoreTest, ClaimIsForTheNextEpochOfAPendingVariantOnly) {
  CreateRun("r", 1);
  EXPECT_FALSE(Claim(Key("r", 0, 2)));
  EXPECT_FALSE(Claim(Key("r", 1, 1)));
  EXPECT_FALSE(Claim(Key("x", 0, 1)));
  EXPECT_TRUE(Claim(Key("r", 0, 1)));
  EXPECT_FALSE(Claim(Key("r", 0, 1)));
  EXPECT_FALSE(Claim(Key("r", 0, 2)));
  Open();
  EXPECT_EQ(Variant(0).state, v1::LEASED);
  EXPECT_EQ(Variant(0).epoch, 1);
  EXPECT_EQ(Variant(0).host_id, "h1");
  EXPECT_EQ(Variant(0).incarnation, "i1");
}

TEST_P(StoreTest, AcceptsTheCurrentEpochOnce) {
  CreateRun("r", 1);
  EXPECT_FALSE(Accept(Result(Key("r", 0, 0), v1::PASS)));
  ASSERT_TRUE(Claim(Key("r", 0, 1)));
  EXPECT_FALSE(Accept(Result(Key("r", 0, 2), v1::PASS)));
  EXPECT_TRUE(Accept(Result(Key("r", 0, 1), v1::FAIL, "starved")));
  EXPECT_FALSE(Accept(Result(Key("r", 0, 1), v1::PASS)));
  Open();
  EXPECT_EQ(Variant(0).state, v1::DONE);
  EXPECT_EQ(Variant(0).outcome, v1::FAIL);
  ASSERT_OK_AND_ASSIGN(std::vector<VariantDetails> details,
                       store_->ReadVariants("r", {0}));
  ASSERT_TRUE(details[0].result.has_value());
  EXPECT_EQ(details[0].result->reason(), "starved");
}

TEST_P(StoreTest, RequeueKeepsReasonsAndEndsTheEpoch) {
  CreateRun("r", 1);
  ASSERT_TRUE(Claim(Key("r", 0, 1)));
  EXPECT_TRUE(Requeue(Key("r", 0, 1), "vmm died"));
  EXPECT_FALSE(Requeue(Key("r", 0, 1), "again"));
  EXPECT_FALSE(Accept(Result(Key("r", 0, 1), v1::PASS)));
  ASSERT_TRUE(Claim(Key("r", 0, 2)));
  EXPECT_TRUE(Requeue(Key("r", 0, 2), "host lost"));
  Open();
  VariantRecord variant = Variant(0);
  EXPECT_EQ(variant.state, v1::PENDING);
  EXPECT_EQ(variant.epoch, 2);
  ASSERT_THAT(variant.missed, SizeIs(2));
  EXPECT_EQ(variant.missed[0].reason, "vmm died");
  EXPECT_EQ(variant.missed[1].reason, "host lost");
  EXPECT_EQ(variant.missed[1].host_id, "h1");
}

TEST_P(StoreTest, CancelEndsPendingVariantsOnly) {
  CreateRun("r", 2);
  ASSERT_TRUE(Claim(Key("r", 0, 1)));
  std::unique_ptr<Transaction> transaction = store_->Begin();
  ASSERT_OK(transaction->CancelRun("r"));
  ASSERT_OK(transaction->Commit());
  transaction.reset();
  Open();
  EXPECT_TRUE(store_->LoadRuns().value()[0].run.is_cancelled);
  EXPECT_EQ(Variant(0).state, v1::LEASED);
  EXPECT_EQ(Variant(1).state, v1::DONE);
  EXPECT_EQ(Variant(1).outcome, v1::CANCELLED);
}

TEST_P(StoreTest, EvidenceIsKeptOnceAndNeverTheAcceptedResult) {
  CreateRun("r", 1);
  ASSERT_TRUE(Claim(Key("r", 0, 1)));
  v1::AttemptResult accepted = Result(Key("r", 0, 1), v1::PASS);
  ASSERT_TRUE(Accept(accepted));
  std::unique_ptr<Transaction> transaction = store_->Begin();
  ASSERT_OK(transaction->KeepEvidence(accepted, "repeated"));
  ASSERT_OK(transaction->KeepEvidence(Result(Key("r", 0, 7), v1::FAIL, "late"),
                                      "stale"));
  ASSERT_OK(transaction->KeepEvidence(Result(Key("r", 0, 7), v1::FAIL, "more"),
                                      "stale"));
  ASSERT_OK(transaction->KeepEvidence(Result(Key("x", 0, 1), v1::FAIL), "?"));
  ASSERT_OK(transaction->Commit());
  ASSERT_OK_AND_ASSIGN(std::vector<v1::AttemptResult> evidence,
                       store_->ReadEvidence("r"));
  ASSERT_THAT(evidence, SizeIs(1));
  EXPECT_EQ(evidence[0].reason(), "late");
}

TEST_P(StoreTest, OneTransactionMayDoManyThings) {
  CreateRun("r", 3);
  std::unique_ptr<Transaction> transaction = store_->Begin();
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(transaction->Claim(Key("r", i, 1), "h1", "i1"));
    EXPECT_THAT(transaction->Accept(Result(Key("r", i, 1), v1::PASS)),
                IsOkAndHolds(true));
  }
  ASSERT_OK(transaction->Commit());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Variant(i).outcome, v1::PASS);
}

TEST(SqliteStoreTest, RefusesANewerSchemaAndForeignFiles) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("store"));
  const std::string path = JoinPath(dir.path(), "db");
  {
    ASSERT_OK_AND_ASSIGN(SqliteConnection db, SqliteConnection::Open(path));
    ASSERT_OK(db.Execute("PRAGMA user_version = 99"));
  }
  EXPECT_THAT(SqliteStore::Open(path),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       ::testing::HasSubstr("schema version 99")));
  const std::string text = JoinPath(dir.path(), "text");
  ASSERT_OK(WriteFileAtomically(text, std::string(4096, 'x')));
  EXPECT_THAT(SqliteStore::Open(text),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

}  // namespace
}  // namespace ktstr::coordinator
