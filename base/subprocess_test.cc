// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
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

TEST(SubprocessTest, ControlsTheTerminalItIsGiven) {
  UniqueFd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(master);
  ASSERT_EQ(unlockpt(master.get()), 0);
  UniqueFd terminal(
      ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(terminal);
  // Ctrl-C reaches it although whoever started it ignores that.
  auto* before = signal(SIGINT, SIG_IGN);
  CommandSpec spec = {.argv = {"sleep", "1000"}, .controls_terminal = true};
  for (int fd : {0, 1, 2}) spec.inherited_fds.push_back({terminal.get(), fd});
  ASSERT_OK_AND_ASSIGN(Subprocess child, Subprocess::Start(spec));
  signal(SIGINT, before);
  ASSERT_EQ(write(master.get(), "\x03", 1), 1);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, child.WaitFor(absl::Minutes(1)));
  EXPECT_EQ(exit.signal, SIGINT);
}

TEST(SubprocessTest, NoTerminalCannotBeControlled) {
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  CommandSpec spec = Shell("true");
  spec.controls_terminal = true;
  spec.inherited_fds = {{null.get(), 0}};
  EXPECT_FALSE(Subprocess::Start(spec).ok());
}

TEST(SubprocessTest, BeforeExecRunsWhileTheChildIsNoProgramYet) {
  std::string own, before;
  CommandSpec spec = {.argv = {"true"}};
  spec.before_exec = [&](pid_t pid) {
    ASSERT_OK_AND_ASSIGN(before,
                         ReadFile(absl::StrCat("/proc/", pid, "/comm")));
  };
  ASSERT_OK_AND_ASSIGN(own, ReadFile("/proc/self/comm"));
  ASSERT_OK_AND_ASSIGN(Subprocess child, Subprocess::Start(spec));
  EXPECT_EQ(before, own);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, child.WaitFor(absl::Minutes(1)));
  EXPECT_TRUE(exit.ok());
}

TEST(SubprocessTest, ChildThatGetsNoCpuDoesNotHoldUpItsParent) {
  CommandSpec spec = {.argv = {"true"}, .exec_timeout = absl::Milliseconds(50)};
  spec.before_exec = [](pid_t pid) { kill(pid, SIGSTOP); };
  EXPECT_THAT(Subprocess::Start(spec),
              StatusIs(absl::StatusCode::kDeadlineExceeded,
                       HasSubstr("start true: it did not come to run")));
}

}  // namespace
}  // namespace ktstr
