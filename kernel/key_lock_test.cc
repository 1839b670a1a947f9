// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/key_lock.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gtest/gtest.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

class KeyLockTest : public testing::Test {
 protected:
  KeyLockTest()
      : dir_(*TempDir::Create("key-lock")),
        path_(JoinPath(dir_.path(), "k.lock")) {}
  TempDir dir_;
  std::string path_;
};

TEST_F(KeyLockTest, NamesTheHolder) {
  ASSERT_OK_AND_ASSIGN(KeyLock lock, KeyLock::Try(path_));
  EXPECT_THAT(KeyLock::Try(path_),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr(absl::StrCat("process ", getpid()))));
}

TEST_F(KeyLockTest, IsFreeAfterItsOwner) {
  { ASSERT_OK_AND_ASSIGN(KeyLock lock, KeyLock::Try(path_)); }
  EXPECT_OK(KeyLock::Try(path_).status());
}

// Between its fork and its exec a child of another thread has every descriptor.
TEST_F(KeyLockTest, IsFreeAfterItsOwnerWhateverAChildHas) {
  std::optional<KeyLock> held;
  {
    ASSERT_OK_AND_ASSIGN(KeyLock lock, KeyLock::Try(path_));
    held.emplace(std::move(lock));
  }
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    char byte;
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(ends[0]);
  held.reset();
  EXPECT_OK(KeyLock::Try(path_).status());
  close(ends[1]);
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(KeyLockTest, WaitIsWokenByTheRelease) {
  absl::StatusOr<KeyLock> lock = KeyLock::Try(path_);
  ASSERT_OK(lock.status());
  std::optional<KeyLock> held(*std::move(lock));
  absl::Status waited = absl::UnknownError("not yet");
  {
    Thread waiter("waiter", [&] {
      waited = KeyLock::Wait(path_, /*cancel_fd=*/-1).status();
    });
    held.reset();
  }
  EXPECT_OK(waited);
}

TEST_F(KeyLockTest, WaitIsWokenByTheDeathOfTheHolder) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    absl::StatusOr<KeyLock> lock = KeyLock::Try(path_);
    char byte = lock.ok() ? 1 : 0;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 1);
  absl::Status waited = absl::UnknownError("not yet");
  {
    Thread waiter("waiter", [&] {
      waited = KeyLock::Wait(path_, /*cancel_fd=*/-1).status();
    });
    kill(child, SIGKILL);
  }
  waitpid(child, nullptr, 0);
  EXPECT_OK(waited);
}

TEST_F(KeyLockTest, WaitEndsWhenCancelled) {
  ASSERT_OK_AND_ASSIGN(KeyLock lock, KeyLock::Try(path_));
  UniqueFd cancel(eventfd(1, EFD_CLOEXEC));
  EXPECT_THAT(KeyLock::Wait(path_, cancel.get()),
              StatusIs(absl::StatusCode::kCancelled));
}

}  // namespace
}  // namespace ktstr::kernel
