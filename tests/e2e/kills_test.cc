// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Processes that die in mid-run: what is retried, what is a MISS, what is left.
#include <signal.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;

// A directory of helpers in which `vmm` is the one that dies.
TempDir LibexecWithDyingVmm() {
  TempDir dir = *TempDir::Create("e2e-libexec-");
  for (const char* name : {"coordinator", "hostd", "guestd"}) {
    EXPECT_EQ(
        symlink(Program(name).c_str(), JoinPath(dir.path(), name).c_str()), 0);
  }
  EXPECT_EQ(symlink(Program("dying_vmm").c_str(),
                    JoinPath(dir.path(), "vmm").c_str()),
            0);
  return dir;
}

SubmitRun SubmitWithDyingVmm(int dying_attempts) {
  TempDir libexec = LibexecWithDyingVmm();
  return Submit(
      {Program("topology"), "--filter", "empty", "--preset", "tiny-1llc"},
      {absl::StrCat("KTSTR_LIBEXEC=", libexec.path()),
       absl::StrCat("KTSTR_REAL_VMM=", Program("vmm")),
       absl::StrCat("KTSTR_DYING_ATTEMPTS=", dying_attempts)});
}

TEST(KilledVmmTest, IsRetriedAndTheTracesStay) {
  SubmitRun run = SubmitWithDyingVmm(1);
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(1));
  EXPECT_EQ(run.results[0].outcome, "PASS") << run.results[0].reason;
  EXPECT_THAT(run.results[0].missed, SizeIs(1));
}

TEST(KilledVmmTest, IsMissWhenItKeepsDying) {
  SubmitRun run = SubmitWithDyingVmm(100);
  EXPECT_EQ(run.exit.code, 3) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(1));
  EXPECT_EQ(run.results[0].outcome, "MISS") << run.results[0].reason;
}

// A submission that is under way: some guest has been started.
class MidRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    before_ = Footprint::Take();
    output_.emplace(*TempDir::Create("e2e-results-"));
    ASSERT_OK_AND_ASSIGN(
        Running started,
        Running::Start({Program("ktstrctl"), "submit", Program("topology"),
                        "--filter", "empty", "--preset", "tiny-1llc",
                        "--preset", "tiny-2llc", "--kernel", KernelPath(),
                        "--output", output_->path()}));
    run_.emplace(std::move(started));
    ASSERT_OK(run_->AwaitLine("VMM_UP", absl::Minutes(2)));
    ASSERT_THAT(PidsOf("vmm"), ::testing::Not(::testing::IsEmpty()));
  }

  // Nothing of this run is left once its processes are gone.
  void ExpectNothingLeft() {
    run_.reset();
    output_.reset();
    AwaitProcessesGone(before_, absl::Seconds(20));
    EXPECT_EQ(Footprint::Take().BeyondThat(before_), "");
  }

  Footprint before_;
  std::optional<TempDir> output_;
  std::optional<Running> run_;
};

TEST_F(MidRunTest, InterruptCancelsAndLeavesNothing) {
  kill(run_->process().pid(), SIGINT);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run_->Finish(absl::Minutes(1)));
  EXPECT_EQ(exit.code, 130) << run_->output();
  ExpectNothingLeft();
}

TEST_F(MidRunTest, SecondInterruptLeavesAtOnceAndLeavesNothing) {
  kill(run_->process().pid(), SIGINT);
  kill(run_->process().pid(), SIGINT);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run_->Finish(absl::Minutes(1)));
  EXPECT_EQ(exit.code, 130) << run_->output();
  ExpectNothingLeft();
}

TEST_F(MidRunTest, KilledClientTakesItsFleetAlong) {
  kill(run_->process().pid(), SIGKILL);
  AwaitProcessesGone(before_, absl::Seconds(20));
  EXPECT_EQ(Footprint::Take().processes, before_.processes);
  // Files of a killed client are swept by the next command.
  SubmitRun next = Submit(
      {Program("topology"), "--filter", "empty", "--preset", "tiny-1llc"});
  EXPECT_EQ(next.exit.code, 0) << next.out << next.err;
  ExpectNothingLeft();
}

TEST_F(MidRunTest, KilledHostdIsNoFailOfTheTest) {
  for (int pid : PidsOf("hostd")) kill(pid, SIGKILL);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run_->Finish(absl::Minutes(5)));
  EXPECT_EQ(exit.code, 3) << run_->output();
  ExpectNothingLeft();
}

TEST_F(MidRunTest, KilledCoordinatorIsNoFailOfTheTest) {
  for (int pid : PidsOf("coordinator")) kill(pid, SIGKILL);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run_->Finish(absl::Minutes(5)));
  EXPECT_EQ(exit.code, 3) << run_->output();
  ExpectNothingLeft();
}

TEST_F(MidRunTest, NormalEndLeavesNothing) {
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run_->Finish(absl::Minutes(5)));
  EXPECT_EQ(exit.code, 0) << run_->output();
  ExpectNothingLeft();
}

}  // namespace
}  // namespace ktstr::e2e
