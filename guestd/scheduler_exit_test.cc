// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/scheduler_exit.h"

#include <string>
#include <vector>

#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

v1::SchedulerExit Read(const std::vector<std::string>& messages) {
  SchedulerExitReader reader;
  for (const std::string& message : messages) reader.Add(message);
  return reader.exit().value_or(v1::SchedulerExit());
}

std::string Disabled(const std::string& reason) {
  return "sched_ext: BPF scheduler \"fixture\" disabled (" + reason + ")";
}

TEST(SchedulerExitTest, StallNamesTheTask) {
  v1::SchedulerExit exit = Read({
      "sched_ext: BPF scheduler \"fixture\" enabled",
      Disabled("runnable task stall"),
      "sched_ext: fixture: ktstr-worker[77] failed to run for 1.020s",
      "   scx_watchdog_workfn+0x154/0x1e0",
      "   process_one_work+0x18e/0x3c0",
  });
  EXPECT_EQ(exit.kind(), v1::EXIT_ERROR_STALL);
  EXPECT_EQ(exit.ops(), "fixture");
  EXPECT_EQ(exit.reason(), "runnable task stall");
  EXPECT_EQ(exit.message(), "ktstr-worker[77] failed to run for 1.020s");
  EXPECT_THAT(exit.backtrace(), ElementsAre("scx_watchdog_workfn+0x154/0x1e0",
                                            "process_one_work+0x18e/0x3c0"));
  EXPECT_EQ(exit.stalled_task().comm(), "ktstr-worker");
  EXPECT_EQ(exit.stalled_task().pid(), 77);
  EXPECT_EQ(FromProtoDuration(exit.stalled_task().waited()),
            absl::Milliseconds(1020));
}

TEST(SchedulerExitTest, EveryReasonHasItsKind) {
  auto kind = [](const char* reason) {
    return Read({Disabled(reason)}).kind();
  };
  EXPECT_EQ(kind("unregistered from user space"),
            v1::EXIT_UNREGISTERED_BY_USER);
  EXPECT_EQ(kind("unregistered from BPF"), v1::EXIT_UNREGISTERED_BY_BPF);
  EXPECT_EQ(kind("unregistered from the main kernel"),
            v1::EXIT_UNREGISTERED_BY_KERNEL);
  EXPECT_EQ(kind("disabled by sysrq-S"), v1::EXIT_SYSRQ);
  EXPECT_EQ(kind("runtime error"), v1::EXIT_ERROR);
  EXPECT_EQ(kind("scx_bpf_error"), v1::EXIT_ERROR_BPF);
  EXPECT_EQ(kind("runnable task stall"), v1::EXIT_ERROR_STALL);
  EXPECT_EQ(kind("parent exiting"), v1::EXIT_UNKNOWN);
  EXPECT_EQ(kind(""), v1::EXIT_UNKNOWN);
}

TEST(SchedulerExitTest, WatchdogThatDidNotRunIsAStallOfNoTask) {
  v1::SchedulerExit exit =
      Read({Disabled("runnable task stall"),
            "sched_ext: fixture: watchdog failed to check in for 2.000s"});
  EXPECT_EQ(exit.kind(), v1::EXIT_ERROR_STALL);
  EXPECT_FALSE(exit.has_stalled_task());
}

TEST(SchedulerExitTest, OtherMessagesMayStandBetween) {
  v1::SchedulerExit exit = Read({
      "workqueue: something else",
      Disabled("runtime error"),
      "random: crng init done",
      "sched_ext: fixture: CPU 3 not allowed for worker[9]",
      " ? not_a_frame_of_ours+0x1/0x2",
      "   first+0x1/0x2",
      "usb 1-1: new device",
      "   second+0x3/0x4 [module]",
  });
  EXPECT_EQ(exit.message(), "CPU 3 not allowed for worker[9]");
  EXPECT_THAT(exit.backtrace(),
              ElementsAre("first+0x1/0x2", "second+0x3/0x4 [module]"));
}

TEST(SchedulerExitTest, OrdinaryEndHasNoBacktrace) {
  SchedulerExitReader reader;
  EXPECT_FALSE(reader.Add("sched_ext: BPF scheduler \"fixture\" enabled"));
  EXPECT_FALSE(reader.exit().has_value());
  EXPECT_TRUE(reader.Add(Disabled("unregistered from user space")));
  EXPECT_FALSE(reader.Add("   stack_of_somebody_else+0x1/0x2"));
  EXPECT_THAT(reader.exit()->backtrace(), IsEmpty());
  EXPECT_EQ(reader.exit()->message(), "");
}

TEST(SchedulerExitTest, FirstErrorStays) {
  v1::SchedulerExit exit = Read({
      Disabled("unregistered from the main kernel"),
      "sched_ext: BPF scheduler \"fixture\" enabled",
      Disabled("scx_bpf_error"),
      "sched_ext: fixture: first",
      "   frame+0x1/0x2",
      "sched_ext: BPF scheduler \"fixture\" enabled",
      "   frame_of_nobody+0x1/0x2",
      Disabled("runtime error"),
      "sched_ext: fixture: second",
      "   frame_of_the_second+0x1/0x2",
      "sched_ext: BPF scheduler \"fixture\" enabled",
      Disabled("unregistered from user space"),
  });
  EXPECT_EQ(exit.kind(), v1::EXIT_ERROR_BPF);
  EXPECT_EQ(exit.message(), "first");
  EXPECT_THAT(exit.backtrace(), ElementsAre("frame+0x1/0x2"));
}

TEST(SchedulerExitTest, WithoutAnErrorTheLastEndCounts) {
  EXPECT_EQ(Read({Disabled("unregistered from the main kernel"),
                  "sched_ext: BPF scheduler \"fixture\" enabled",
                  Disabled("unregistered from user space")})
                .kind(),
            v1::EXIT_UNREGISTERED_BY_USER);
}

TEST(SchedulerExitTest, NamesMayBeAnything) {
  absl::optional<v1::StalledTask> task = ParseStalledTask(
      "a [1] failed to run for 9.000s[2] failed to run for 3.5s");
  ASSERT_TRUE(task.has_value());
  EXPECT_EQ(task->comm(), "a [1] failed to run for 9.000s");
  EXPECT_EQ(task->pid(), 2);
  EXPECT_EQ(FromProtoDuration(task->waited()), absl::Milliseconds(3500));
  EXPECT_EQ(Read({"sched_ext: BPF scheduler \"a\" disabled (b)\" disabled "
                  "(scx_bpf_error)"})
                .ops(),
            "a\" disabled (b)");
}

TEST(SchedulerExitTest, WhatIsNoStallIsNone) {
  for (const char* text :
       {"", "worker[1]", "worker[1] failed to run for s",
        "worker[1] failed to run for 1.0", "worker[] failed to run for 1.0s",
        "worker failed to run for 1.0s", "worker[1 failed to run for 1.0s",
        "w[99999999999] failed to run for 1.0s", "w[1] failed to run for -1.0s",
        "w[1] failed to run for nans", "w[1] failed to run for 1e99s"}) {
    EXPECT_FALSE(ParseStalledTask(text).has_value()) << text;
  }
}

TEST(SchedulerExitTest, WhatIsKeptIsBoundedAndPrintable) {
  std::vector<std::string> messages = {
      Disabled("runtime error"),
      "sched_ext: fixture: two\nlines\tand \x01\xff" + std::string(9999, 'x')};
  for (int i = 0; i < 1000; ++i) {
    messages.push_back("   frame+0x" + std::string(1000, 'f'));
  }
  v1::SchedulerExit exit = Read(messages);
  EXPECT_EQ(exit.message().size(), SchedulerExitReader::kMaxTextBytes);
  EXPECT_EQ(exit.message().substr(0, 16), "two lines and ??");
  EXPECT_EQ(exit.backtrace_size(), SchedulerExitReader::kMaxFrames);
  EXPECT_LE(exit.backtrace(0).size(), SchedulerExitReader::kMaxFrameBytes);
}

}  // namespace
}  // namespace ktstr::guestd
