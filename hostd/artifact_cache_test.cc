// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/artifact_cache.h"

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/sha256.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::IsEmpty;

class FakeSource : public ArtifactSource {
 public:
  absl::Status Fetch(const std::string& sha256, const Sink& sink) override {
    ++fetches;
    auto found = blobs.find(sha256);
    if (found == blobs.end()) return absl::NotFoundError("not held");
    for (char byte : found->second) {
      absl::Status status = sink(absl::string_view(&byte, 1));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  std::string Add(const std::string& content) {
    std::string name = Sha256Hex(content);
    blobs[name] = content;
    return name;
  }
  std::map<std::string, std::string> blobs;
  std::atomic<int> fetches = 0;
};

class ArtifactCacheTest : public ::testing::Test {
 protected:
  ArtifactCacheTest()
      : dir_(*TempDir::Create("ac-")), path_(JoinPath(dir_.path(), "c")) {
    Open(1 << 20);
  }
  void Open(int64_t max_bytes) {
    cache_ =
        *ArtifactCache::Open({.dir = path_, .max_bytes = max_bytes}, &source_);
  }
  TempDir dir_;
  std::string path_;
  FakeSource source_;
  std::unique_ptr<ArtifactCache> cache_;
};

TEST_F(ArtifactCacheTest, FetchesOnceAndKeepsOverARestart) {
  std::string name = source_.Add("content");
  ASSERT_OK_AND_ASSIGN(HeldArtifact held, cache_->Get(name, 7));
  EXPECT_EQ(held.size_bytes(), 7);
  EXPECT_EQ(*ReadFile(held.path()), "content");
  Open(1 << 20);
  ASSERT_OK(cache_->Get(name, 7));
  EXPECT_EQ(source_.fetches, 1);
}

TEST_F(ArtifactCacheTest, ManyThreadsFetchOnce) {
  std::string name = source_.Add(std::string(2000, 'x'));
  {
    std::vector<Thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back("get", [&] { EXPECT_OK(cache_->Get(name, 2000)); });
    }
  }
  EXPECT_EQ(source_.fetches, 1);
}

TEST_F(ArtifactCacheTest, RefusesWrongContentAndKeepsNothing) {
  std::string name = source_.Add("right");
  source_.blobs[name] = "wrong";
  EXPECT_THAT(cache_->Get(name, 5), StatusIs(absl::StatusCode::kDataLoss));
  source_.blobs[name] = "right";
  EXPECT_THAT(cache_->Get(name, 4), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(cache_->Get(name, 6), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_THAT(*ListDir(path_), IsEmpty());
  EXPECT_OK(cache_->Get(name, 5));
}

TEST_F(ArtifactCacheTest, MissingAtTheSourceIsNotFound) {
  EXPECT_THAT(cache_->Get(Sha256Hex("nobody has it"), 0),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ArtifactCacheTest, RefusesNamesThatArePaths) {
  EXPECT_THAT(cache_->Get("../../etc/passwd", 0),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(source_.fetches, 0);
}

TEST_F(ArtifactCacheTest, FetchesAgainWhatWasDamagedOnDisk) {
  std::string name = source_.Add("content");
  ASSERT_OK(cache_->Get(name, 7));
  ASSERT_OK(WriteFileAtomically(JoinPath(path_, name), "damage!"));
  Open(1 << 20);
  ASSERT_OK_AND_ASSIGN(HeldArtifact held, cache_->Get(name, 7));
  EXPECT_EQ(*ReadFile(held.path()), "content");
}

TEST_F(ArtifactCacheTest, EvictsTheOldestButNothingHeld) {
  Open(25);
  std::string a = source_.Add("aaaaaaaaaa");
  std::string b = source_.Add("bbbbbbbbbb");
  std::string c = source_.Add("cccccccccc");
  ASSERT_OK_AND_ASSIGN(HeldArtifact held, cache_->Get(a, 10));
  ASSERT_OK(cache_->Get(b, 10));
  ASSERT_OK(cache_->Get(c, 10));
  EXPECT_TRUE(FileExists(JoinPath(path_, a)));
  EXPECT_FALSE(FileExists(JoinPath(path_, b)));
  EXPECT_TRUE(FileExists(JoinPath(path_, c)));
  ASSERT_OK(cache_->Get(b, 10));
  EXPECT_EQ(source_.fetches, 4);
}

TEST_F(ArtifactCacheTest, RemovesWhatADeadFetcherLeft) {
  ASSERT_OK(WriteFileAtomically(JoinPath(path_, ".partial-123456"), "half"));
  Open(1 << 20);
  EXPECT_THAT(*ListDir(path_), IsEmpty());
}

}  // namespace
}  // namespace ktstr::hostd
