// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/sha256.h"

#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

// FIPS 180-4, example B.1.
constexpr char kAbc[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256Test, MatchesPublishedVector) { EXPECT_EQ(Sha256Hex("abc"), kAbc); }

TEST(Sha256Test, FileAndBytesAgree) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("sha256_test"));
  std::string path = JoinPath(dir.path(), "f");
  ASSERT_OK(WriteFileAtomically(path, "abc"));
  EXPECT_THAT(Sha256HexOfFile(path), absl_testing::IsOkAndHolds(kAbc));
}

TEST(Sha256Test, RecognisesOnlyItsOwnForm) {
  EXPECT_TRUE(IsSha256Hex(kAbc));
  EXPECT_FALSE(IsSha256Hex("../../etc/passwd"));
  EXPECT_FALSE(IsSha256Hex(std::string(64, 'G')));
  EXPECT_FALSE(IsSha256Hex(std::string(63, 'a')));
}

}  // namespace
}  // namespace ktstr
