// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/artifacts/artifact_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::IsEmpty;

constexpr int64_t kLimit = 1000;

class ArtifactStoreTest : public ::testing::Test {
 protected:
  ArtifactStoreTest()
      : dir_(TempDir::Create("artifacts").value()),
        store_(ArtifactStore::Open(dir_.path(), kLimit).value()) {}

  absl::Status Put(absl::string_view name, absl::string_view content,
                   int64_t size) {
    absl::StatusOr<ArtifactStore::Upload> upload =
        store_->StartUpload(name, size);
    if (!upload.ok()) return upload.status();
    absl::Status status = upload->Append(content);
    return status.ok() ? upload->Finish() : status;
  }
  absl::StatusOr<std::vector<std::string>> Incoming() {
    return ListDir(JoinPath(dir_.path(), "incoming"));
  }

  TempDir dir_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactStoreTest, KeepsWhatItWasGivenTwice) {
  const std::string name = Sha256Hex("hello");
  EXPECT_FALSE(store_->Has(name));
  EXPECT_OK(Put(name, "hello", 5));
  EXPECT_OK(Put(name, "hello", 5));
  EXPECT_TRUE(store_->Has(name));
  EXPECT_THAT(store_->SizeOf(name), IsOkAndHolds(5));
  ASSERT_OK_AND_ASSIGN(UniqueFd blob, store_->OpenBlob(name));
  EXPECT_THAT(ReadAll(blob.get()), IsOkAndHolds("hello"));
  EXPECT_THAT(Incoming(), IsOkAndHolds(IsEmpty()));
}

TEST_F(ArtifactStoreTest, EmptyBlobIsABlob) {
  EXPECT_OK(Put(Sha256Hex(""), "", 0));
  EXPECT_TRUE(store_->Has(Sha256Hex("")));
}

TEST_F(ArtifactStoreTest, CorruptContentIsDataLossAndLeavesNothing) {
  const std::string name = Sha256Hex("hello");
  EXPECT_THAT(Put(name, "hellO", 5), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_FALSE(store_->Has(name));
  EXPECT_THAT(Incoming(), IsOkAndHolds(IsEmpty()));
}

TEST_F(ArtifactStoreTest, TruncatedContentIsDataLoss) {
  EXPECT_THAT(Put(Sha256Hex("hello"), "hell", 5),
              StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(ArtifactStoreTest, MoreThanAnnouncedIsInvalid) {
  EXPECT_THAT(Put(Sha256Hex("hello"), "hello!", 5),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Incoming(), IsOkAndHolds(IsEmpty()));
}

TEST_F(ArtifactStoreTest, SizeLimitIncludesItsEnd) {
  const std::string largest(kLimit, 'a');
  EXPECT_OK(Put(Sha256Hex(largest), largest, kLimit));
  EXPECT_THAT(Put(Sha256Hex("a"), "a", kLimit + 1),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Put(Sha256Hex("a"), "a", -1),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ArtifactStoreTest, NamesNeverBecomePathsUnchecked) {
  for (std::string name :
       {std::string("../../../../etc/passwd"), std::string(""),
        std::string(64, '.'), std::string(64, 'A'),
        "../" + std::string(61, 'a'), std::string(64, '/')}) {
    EXPECT_FALSE(store_->Has(name)) << name;
    EXPECT_THAT(store_->OpenBlob(name),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(store_->StartUpload(name, 1),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(ArtifactStoreTest, UnknownBlobIsNotFound) {
  EXPECT_THAT(store_->OpenBlob(Sha256Hex("unknown")),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(ArtifactStoreTest, OpeningSweepsLeftoversAndKeepsBlobs) {
  EXPECT_OK(Put(Sha256Hex("hello"), "hello", 5));
  ASSERT_OK(
      WriteFileAtomically(JoinPath(dir_.path(), "incoming/upload-1"), "half"));
  ASSERT_OK_AND_ASSIGN(store_, ArtifactStore::Open(dir_.path(), kLimit));
  EXPECT_THAT(Incoming(), IsOkAndHolds(IsEmpty()));
  EXPECT_TRUE(store_->Has(Sha256Hex("hello")));
}

// A full disk: /dev/full fails every write, so the mapping is tried there.
TEST_F(ArtifactStoreTest, FullDiskIsResourceExhausted) {
  const std::string incoming = JoinPath(dir_.path(), "incoming");
  ASSERT_OK_AND_ASSIGN(ArtifactStore::Upload upload,
                       store_->StartUpload(Sha256Hex("hello"), 5));
  ASSERT_OK_AND_ASSIGN(std::vector<std::string> names, ListDir(incoming));
  ASSERT_EQ(names.size(), 1);
  // The upload's descriptor is the only one open on its file; make it refer to
  // the full device instead.
  ASSERT_OK_AND_ASSIGN(UniqueFd full, OpenFile("/dev/full", O_WRONLY));
  ASSERT_OK_AND_ASSIGN(std::vector<std::string> fds, ListDir("/proc/self/fd"));
  for (const std::string& fd : fds) {
    char target[4096] = {};
    if (readlink(("/proc/self/fd/" + fd).c_str(), target, sizeof(target) - 1) >
            0 &&
        absl::EndsWith(target, names[0])) {
      ASSERT_GE(dup2(full.get(), std::stoi(fd)), 0);
    }
  }
  EXPECT_THAT(upload.Append("hello"),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       ::testing::HasSubstr("disk is full")));
}

}  // namespace
}  // namespace ktstr::coordinator
