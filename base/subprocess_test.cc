// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/subprocess.h"

#include <signal.h>
#include <unistd.h>

#include "absl/time/time.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

CommandSpec Shell(const char* script) {
  return {.argv = {"/bin/sh", "-c", script}};
}

TEST(SubprocessTest, CollectsBothStreamsAndExitCode) {
  ASSERT_OK_AND_ASSIGN(
      CommandOutput output,
      RunCommand(Shell("echo out; echo err >&2; exit 3"), absl::Minutes(1)));
  EXPECT_EQ(output.out, "out\n");
  EXPECT_EQ(output.err, "err\n");
  EXPECT_EQ(output.exit.code, 3);
}

TEST(SubprocessTest, MissingProgramIsNotFoundByName) {
  EXPECT_THAT(Subprocess::Start({.argv = {"/no/such/program"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such")));
}

TEST(SubprocessTest, SignalIsReportedAsSignal) {
  ASSERT_OK_AND_ASSIGN(CommandOutput output,
                       RunCommand(Shell("kill -9 $$"), absl::Minutes(1)));
  EXPECT_EQ(output.exit.signal, 9);
  EXPECT_THAT(output.exit.ToString(), HasSubstr("signal 9"));
}

TEST(SubprocessTest, KillEndsGrandchildrenThatHoldThePipe) {
  CommandSpec spec = Shell("sleep 1000 & sleep 1000");
  EXPECT_THAT(RunCommand(spec, absl::Milliseconds(200)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST(SubprocessTest, OnlyListedDescriptorsArrive) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  CommandSpec spec = Shell("ls /proc/self/fd | tr '\\n' ' '");
  spec.inherited_fds = {{pipe_fds[1], 7}};
  ASSERT_OK_AND_ASSIGN(CommandOutput output,
                       RunCommand(spec, absl::Minutes(1)));
  // 3 is the directory that ls itself reads.
  EXPECT_EQ(output.out, "0 1 2 3 7 ");
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(SubprocessTest, EnvironmentEntriesReplaceInheritedOnes) {
  setenv("KTSTR_SUBPROCESS_TEST", "old", 1);
  CommandSpec spec = Shell("echo $KTSTR_SUBPROCESS_TEST");
  spec.extra_env = {"KTSTR_SUBPROCESS_TEST=fresh"};
  ASSERT_OK_AND_ASSIGN(CommandOutput output,
                       RunCommand(spec, absl::Minutes(1)));
  EXPECT_EQ(output.out, "fresh\n");
}

TEST(SubprocessTest, DestructorKillsAndReaps) {
  pid_t pid = 0;
  {
    ASSERT_OK_AND_ASSIGN(Subprocess child,
                         Subprocess::Start({.argv = {"sleep", "1000"}}));
    pid = child.pid();
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(SubprocessTest, EndlessOutputIsCutOff) {
  EXPECT_THAT(RunCommand(Shell("yes"), absl::Minutes(1), 1 << 20),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

}  // namespace
}  // namespace ktstr
