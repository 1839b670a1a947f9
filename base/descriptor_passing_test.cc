// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/descriptor_passing.h"

#include <sys/socket.h>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;

class DescriptorPassingTest : public ::testing::Test {
 protected:
  DescriptorPassingTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ours_.Reset(ends[0]);
    theirs_.Reset(ends[1]);
  }

  UniqueFd ours_;
  UniqueFd theirs_;
};

TEST_F(DescriptorPassingTest, FilesArriveWithTheirBytes) {
  ASSERT_OK_AND_ASSIGN(UniqueFd one, MemoryFile("one", "1"));
  ASSERT_OK_AND_ASSIGN(UniqueFd two, MemoryFile("two", "22"));
  ASSERT_OK(SendDescriptors(theirs_.get(), "map", {one.get(), two.get()}));
  ASSERT_OK_AND_ASSIGN(PassedDescriptors received,
                       ReceiveDescriptors(ours_.get(), 100));
  EXPECT_EQ(received.bytes, "map");
  ASSERT_EQ(received.fds.size(), 2u);
  one.Reset();
  two.Reset();
  EXPECT_THAT(ReadAll(received.fds[1].get(), 10), IsOkAndHolds("22"));
}

TEST_F(DescriptorPassingTest, NothingSentIsNoWait) {
  EXPECT_THAT(ReceiveDescriptors(ours_.get(), 100),
              StatusIs(absl::StatusCode::kUnavailable));
  theirs_.Reset();
  EXPECT_THAT(ReceiveDescriptors(ours_.get(), 100),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(DescriptorPassingTest, RefusesEmptyMessages) {
  EXPECT_THAT(SendDescriptors(theirs_.get(), "", {0}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SendDescriptors(theirs_.get(), "x", {}),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr
