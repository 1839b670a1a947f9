// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/make_runner.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"

namespace ktstr::kernel {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

MakeRun Shell(const char* script) {
  MakeRun run;
  run.command.argv = {"sh", "-c", script};
  run.what = "testing";
  return run;
}

TEST(RunMakeTest, HandsOverEveryLineOfBothStreams) {
  std::vector<std::string> lines;
  MakeRun run = Shell("echo one; echo two >&2; printf 'no newline'");
  run.on_line = [&](absl::string_view line) { lines.emplace_back(line); };
  ASSERT_OK(RunMake(run));
  EXPECT_THAT(lines, ElementsAre("one", "two", "no newline"));
}

TEST(RunMakeTest, FailureCarriesTheEndOfTheOutput) {
  EXPECT_THAT(RunMake(Shell("seq 1 100; echo the reason >&2; exit 2")),
              StatusIs(absl::StatusCode::kInternal,
                       AllOf(HasSubstr("testing failed (exit code 2)"),
                             HasSubstr("the reason"), HasSubstr("\n100\n"),
                             Not(HasSubstr("\n50\n")))));
}

TEST(RunMakeTest, StandardInputIsEmpty) {
  EXPECT_OK(RunMake(Shell("! read x")));
}

TEST(RunMakeTest, CancelEndsTheCommandAndItsChildren) {
  UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
  int grandchild = 0;
  MakeRun run = Shell("sleep 1000 & echo $!; wait");
  run.cancel_fd = cancel.get();
  run.on_line = [&](absl::string_view line) {
    ASSERT_TRUE(absl::SimpleAtoi(line, &grandchild));
    eventfd_write(cancel.get(), 1);
  };
  EXPECT_THAT(RunMake(run), StatusIs(absl::StatusCode::kCancelled));
  ASSERT_GT(grandchild, 1);
  // Killed with the group: its end is an event, unless it is over already.
  UniqueFd process(syscall(SYS_pidfd_open, grandchild, 0));
  if (!process) return;
  pollfd fd = {process.get(), POLLIN, 0};
  EXPECT_EQ(poll(&fd, 1, /*timeout_ms=*/30000), 1);
}

TEST(RunMakeTest, UnknownProgramIsNotFound) {
  MakeRun run;
  run.command.argv = {"/no/such/program"};
  run.what = "testing";
  EXPECT_THAT(RunMake(run), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace ktstr::kernel
