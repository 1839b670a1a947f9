// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/mutex.h"

#include <vector>

#include "base/thread.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

// Threads hand a turn round in a ring: each waits for what the previous one
// wrote while it held the lock.
TEST(MutexTest, AwaitSeesWhatOthersWroteBeforeUnlocking) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 200;
  Mutex mutex;
  int turn = 0;
  std::vector<Thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back("ring", [&, i] {
      for (int round = 0; round < kRounds; ++round) {
        MutexLock lock(&mutex);
        mutex.Await([&] { return turn % kThreads == i; });
        ++turn;
      }
    });
  }
  for (Thread& thread : threads) thread.Join();
  EXPECT_EQ(turn, kThreads * kRounds);
}

// A change made just before waiting wakes those who already wait.
TEST(MutexTest, AwaitPassesTheCallersChangeOn) {
  Mutex mutex;
  bool is_asked = false;
  bool is_answered = false;
  Thread answerer("answerer", [&] {
    MutexLock lock(&mutex);
    mutex.Await([&] { return is_asked; });
    is_answered = true;
  });
  {
    MutexLock lock(&mutex);
    is_asked = true;
    mutex.Await([&] { return is_answered; });
  }
  answerer.Join();
  EXPECT_TRUE(is_answered);
}

TEST(MutexTest, AwaitForEndsWithItsTimeOrItsCondition) {
  Mutex mutex;
  bool is_set = false;
  MutexLock lock(&mutex);
  EXPECT_FALSE(mutex.AwaitFor(absl::Milliseconds(1), [&] { return is_set; }));
  Thread setter("setter", [&] {
    MutexLock lock(&mutex);
    is_set = true;
  });
  EXPECT_TRUE(mutex.AwaitFor(absl::InfiniteDuration(), [&] { return is_set; }));
}

}  // namespace
}  // namespace ktstr
