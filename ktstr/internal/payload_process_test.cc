// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Real, short programs.
#include "ktstr/internal/payload_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/cgroup_tree_fake.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;

constexpr PayloadDef kShell =
    PayloadDef{"script"}.program("/bin/sh").args({"-c"});

// Looks at the process while it is being placed.
class LookingCgroups : public CgroupTreeFake {
 public:
  absl::Status MoveTasks(const std::string& name,
                         const std::vector<pid_t>& pids) override {
    comm = *ReadFile(absl::StrCat("/proc/", pids[0], "/comm"));
    return CgroupTreeFake::MoveTasks(name, pids);
  }
  std::string comm;
};

bool IsRunning(pid_t pid) {
  absl::StatusOr<std::string> stat =
      ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  // A zombie whose parent is not ours has been killed as well.
  return stat.ok() && !absl::StrContains(*stat, ") Z ");
}

// Waits until it is gone.
bool AwaitGone(pid_t pid) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return !IsRunning(pid);
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return poll(&ended, 1, 30'000) == 1;
}

class PayloadProcessTest : public ::testing::Test {
 protected:
  PayloadProcessTest() {
    unlink(fifo_.c_str());
    EXPECT_EQ(mkfifo(fifo_.c_str(), 0600), 0);
  }

  std::unique_ptr<PayloadProcess> Start(const std::string& script,
                                        const PayloadDef& def = kShell,
                                        const std::string& cgroup = "") {
    PayloadPlan plan(std::make_shared<const PayloadDef>(def));
    plan.AddArg(script);
    plan.cgroup = cgroup;
    absl::StatusOr<std::unique_ptr<PayloadProcess>> process =
        PayloadProcess::Start(plan, context_);
    EXPECT_OK(process);
    return *std::move(process);
  }
  PayloadEnding Run(const std::string& script) {
    std::unique_ptr<PayloadProcess> process = Start(script);
    EXPECT_TRUE(process->AwaitEnd(absl::InfiniteDuration()));
    return process->Finish();
  }

  LookingCgroups cgroups_;
  const Context context_{ContextParts{.cgroups = &cgroups_}};
  // What a program says that it is ready by.
  const std::string fifo_ = ::testing::TempDir() + "/ready";
};

TEST_F(PayloadProcessTest, OutputsAndExitCodeAreKeptApart) {
  PayloadEnding ending = Run("echo out; echo err >&2; exit 7");
  EXPECT_EQ(ending.out, "out\n");
  EXPECT_EQ(ending.err, "err\n");
  EXPECT_EQ(ending.exit.code, 7);
  EXPECT_FALSE(ending.is_by_test);
}

TEST_F(PayloadProcessTest, ItIsInItsCgroupBeforeItIsAProgram) {
  const std::string own = *ReadFile("/proc/self/comm");
  std::unique_ptr<PayloadProcess> process = Start("exit 0", kShell, "cg_0");
  EXPECT_THAT(cgroups_.calls(), Contains("move cg_0 1"));
  EXPECT_EQ(cgroups_.comm, own);  // not yet sh
  process->AwaitEnd(absl::InfiniteDuration());
  EXPECT_TRUE(process->Finish().exit.ok());
}

TEST_F(PayloadProcessTest, AProgramThatCannotBePlacedDoesNotRun) {
  const std::string mark = ::testing::TempDir() + "/ran";
  cgroups_.FailOn("move cg_0", absl::DeadlineExceededError("kernel hangs"));
  PayloadPlan plan(std::make_shared<const PayloadDef>(kShell));
  plan.AddArg(absl::StrCat("touch ", mark));
  plan.cgroup = "cg_0";
  EXPECT_THAT(PayloadProcess::Start(plan, context_),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       HasSubstr("payload \"script\": kernel hangs")));
  EXPECT_FALSE(FileExists(mark));
}

// A pipe holds 64 KiB: a program without a reader would stop there.
TEST_F(PayloadProcessTest, OutputIsTakenWhileNobodyWaits) {
  std::unique_ptr<PayloadProcess> process =
      Start("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 4");
  // Nothing but its own end is waited for.
  ASSERT_TRUE(process->AwaitEnd(RealClock().Monotonic() + absl::Minutes(1)));
  PayloadEnding ending = process->Finish();
  EXPECT_EQ(ending.exit.code, 4);
  EXPECT_EQ(ending.out.size(), 1000000);
  EXPECT_EQ(ending.err.size(), 1000000);
}

TEST_F(PayloadProcessTest, BeyondSixteenMebibytesOutputIsCounted) {
  PayloadEnding ending = Run("head -c 20000000 /dev/zero; echo end >&2");
  EXPECT_EQ(ending.out.size(), PayloadProcess::kMaxOutputBytes);
  EXPECT_EQ(ending.out_dropped, 20000000 - PayloadProcess::kMaxOutputBytes);
  EXPECT_EQ(ending.err, "end\n");
}

TEST_F(PayloadProcessTest, AStopThatIsHandledLeavesTheLastWords) {
  std::unique_ptr<PayloadProcess> process = Start(
      absl::StrCat("trap 'echo results; exit 3' TERM; echo ready; echo > ",
                   fifo_, "; while :; do sleep 0.01; done"));
  ASSERT_OK(ReadFile(fifo_));
  process->RequestStop({.grace = std::chrono::seconds(60)});
  ASSERT_TRUE(process->AwaitEnd(process->stop_deadline()));
  PayloadEnding ending = process->Finish();
  EXPECT_EQ(ending.out, "ready\nresults\n");
  EXPECT_EQ(ending.exit.code, 3);
  EXPECT_TRUE(ending.is_by_test);
}

TEST_F(PayloadProcessTest, AStopThatIsIgnoredEndsWithTheGrace) {
  std::unique_ptr<PayloadProcess> process =
      Start(absl::StrCat("trap '' TERM; echo ready; echo > ", fifo_,
                         "; while :; do sleep 0.01; done"));
  ASSERT_OK(ReadFile(fifo_));
  process->RequestStop({.grace = std::chrono::milliseconds(50)});
  EXPECT_FALSE(process->AwaitEnd(process->stop_deadline()));
  PayloadEnding ending = process->Finish();
  EXPECT_EQ(ending.exit.signal, SIGKILL);
  EXPECT_TRUE(ending.is_by_test);
  EXPECT_EQ(ending.out, "ready\n");
}

TEST_F(PayloadProcessTest, WhatEndedByItselfWasNotEndedByTheTest) {
  std::unique_ptr<PayloadProcess> process = Start("kill -SEGV $$");
  ASSERT_TRUE(process->AwaitEnd(absl::InfiniteDuration()));
  EXPECT_TRUE(process->has_ended());
  process->RequestStop({});
  PayloadEnding ending = process->Finish();
  EXPECT_EQ(ending.exit.signal, SIGSEGV);
  EXPECT_FALSE(ending.is_by_test);
}

TEST_F(PayloadProcessTest, WhatItLeavesInItsGroupEndsWithIt) {
  PayloadEnding ending = Run("sleep 1000 & echo $!; exit 0");
  int left_behind = 0;
  ASSERT_TRUE(
      absl::SimpleAtoi(absl::StripAsciiWhitespace(ending.out), &left_behind));
  EXPECT_TRUE(AwaitGone(left_behind));
}

TEST_F(PayloadProcessTest, ADaemonThatKeepsTheOutputOpenIsNotWaitedFor) {
  const absl::Duration before = RealClock().Monotonic();
  PayloadEnding ending = Run("setsid sleep 1000 & echo $!; exit 0");
  EXPECT_LT(RealClock().Monotonic() - before, absl::Seconds(60));
  int left_behind = 0;
  ASSERT_TRUE(
      absl::SimpleAtoi(absl::StripAsciiWhitespace(ending.out), &left_behind));
  ::kill(left_behind, SIGKILL);
}

TEST_F(PayloadProcessTest, ATimeLimitKillsAndIsSaid) {
  std::unique_ptr<PayloadProcess> process =
      Start(absl::StrCat("echo begun; echo > ", fifo_, "; sleep 1000"));
  ASSERT_OK(ReadFile(fifo_));
  EXPECT_FALSE(process->AwaitEnd(RealClock().Monotonic()));
  process->KillAtLimit(absl::Milliseconds(300));
  PayloadEnding ending = process->Finish();
  EXPECT_EQ(ending.limit, absl::Milliseconds(300));
  EXPECT_EQ(ending.exit.signal, SIGKILL);
  EXPECT_EQ(ending.out, "begun\n");
}

TEST_F(PayloadProcessTest, TheDestructorLeavesNobody) {
  pid_t pid = 0;
  {
    std::unique_ptr<PayloadProcess> process = Start("sleep 1000");
    pid = process->pid();
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST_F(PayloadProcessTest, ItHasAGroupOfItsOwnUnlessItNeedsOurs) {
  auto group_of = [&](const PayloadDef& def) {
    std::unique_ptr<PayloadProcess> process =
        Start("read ignored rest < /proc/self/stat; echo $rest", def);
    process->AwaitEnd(absl::InfiniteDuration());
    // comm state ppid pgrp ...
    std::vector<std::string> words = absl::StrSplit(process->Finish().out, ' ');
    return words.size() > 3 ? words[3] : "";
  };
  EXPECT_NE(group_of(kShell), absl::StrCat(getpgrp()));
  PayloadDef sharing = kShell;
  sharing.uses_parent_pgrp = true;
  EXPECT_EQ(group_of(sharing), absl::StrCat(getpgrp()));
}

}  // namespace
}  // namespace ktstr::internal
