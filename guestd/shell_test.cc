// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Real shells on real pseudo-terminals and pipes; the test is the host.
#include "guestd/shell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guestd/child_signal.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr absl::Duration kPatience = absl::Seconds(20);

class ShellTest : public ::testing::Test {
 protected:
  ShellTest() {
    signal(SIGPIPE, SIG_IGN);  // as main() does
    options_.applet_dir = "";
    options_.working_dir = "/";
    if (!FileExists(options_.busybox)) options_.busybox = "/usr/bin/busybox";
  }
  ~ShellTest() override {
    HangUp();
    thread_.Join();
  }

  void Start(v1::ShellStart start) {
    thread_ = Thread("shell", [this, start = std::move(start)] {
      Shell shell(
          options_, [this](v1::ShellInput* input) { return Receive(input); },
          [this](const v1::ShellOutput& output) { return Emit(output); });
      status_ = shell.Run(start);
    });
  }

  void Command(const std::string& command) {
    v1::ShellStart start;
    start.set_command(command);
    Start(start);
  }

  void Interactive(int rows, int columns) {
    v1::ShellStart start;
    start.set_topology("1n2l2c1t");
    start.set_term("xterm-test");
    start.set_colorterm("truecolor");
    start.mutable_window()->set_rows(rows);
    start.mutable_window()->set_columns(columns);
    Start(start);
  }

  void Type(const std::string& text) {
    v1::ShellInput input;
    input.set_data(text);
    Push(input);
  }
  void CloseInput() {
    v1::ShellInput input;
    input.set_closed(true);
    Push(input);
  }
  void Resize(int rows, int columns) {
    v1::ShellInput input;
    input.mutable_window()->set_rows(rows);
    input.mutable_window()->set_columns(columns);
    Push(input);
  }
  void Push(const v1::ShellInput& input) {
    MutexLock lock(&mutex_);
    inputs_.push_back(input);
  }
  void HangUp() {
    MutexLock lock(&mutex_);
    is_hung_up_ = true;
  }

  // Waits until `text` came after what was awaited before.
  testing::AssertionResult Await(const std::string& text) {
    MutexLock lock(&mutex_);
    mutex_.AwaitFor(kPatience, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return out_.find(text, seen_) != std::string::npos || has_end_;
    });
    size_t at = out_.find(text, seen_);
    if (at == std::string::npos) {
      return testing::AssertionFailure() << "no " << text << " in:\n" << out_;
    }
    seen_ = at + text.size();
    return testing::AssertionSuccess();
  }

  // Waits for the end, then hangs up as hostd does.
  v1::ShellEnd Finish() {
    {
      MutexLock lock(&mutex_);
      EXPECT_TRUE(mutex_.AwaitFor(
          kPatience,
          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return has_end_; }))
          << out_;
      is_hung_up_ = true;
    }
    thread_.Join();
    EXPECT_OK(status_);
    return end_;
  }

  bool Receive(v1::ShellInput* input) {
    MutexLock lock(&mutex_);
    mutex_.Await([this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      return !inputs_.empty() || is_hung_up_;
    });
    if (inputs_.empty()) return false;
    *input = inputs_.front();
    inputs_.pop_front();
    return true;
  }

  bool Emit(const v1::ShellOutput& output) {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(has_end_);
    EXPECT_LE(output.out().size() + output.err().size(), 64u << 10);
    out_ += output.out();
    err_ += output.err();
    if (output.has_end()) {
      end_ = output.end();
      has_end_ = true;
    }
    return !is_hung_up_;
  }

  ShellOptions options_;
  absl::Status status_;
  Mutex mutex_;
  std::deque<v1::ShellInput> inputs_ ABSL_GUARDED_BY(mutex_);
  bool is_hung_up_ ABSL_GUARDED_BY(mutex_) = false;
  std::string out_;
  std::string err_;
  size_t seen_ = 0;
  v1::ShellEnd end_;
  bool has_end_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

TEST_F(ShellTest, CommandHasTwoStreamsAndAnExitCode) {
  Command("echo out; echo err >&2; exit 7");
  v1::ShellEnd end = Finish();
  EXPECT_EQ(end.kind(), v1::ShellEnd::EXITED);
  EXPECT_EQ(end.exit_code(), 7);
  EXPECT_EQ(out_, "out\n");
  EXPECT_EQ(err_, "err\n");
}

TEST_F(ShellTest, SignalIsReportedAsSignal) {
  Command("kill -9 $$");
  EXPECT_EQ(Finish().exit_signal(), 9);
}

TEST_F(ShellTest, CommandReadsItsInputToTheEnd) {
  Command("wc -c");
  Type(std::string(300000, 'x'));
  CloseInput();
  EXPECT_EQ(Finish().exit_code(), 0);
  EXPECT_EQ(out_, "300000\n");
}

TEST_F(ShellTest, CommandThatReadsNothingEndsAllTheSame) {
  Command("exit 3");
  Type(std::string(1 << 20, 'x'));
  Type(std::string(1 << 20, 'x'));
  EXPECT_EQ(Finish().exit_code(), 3);
}

TEST_F(ShellTest, LongOutputComesWhole) {
  Command("head -c 5000000 /dev/zero | tr '\\0' y");
  EXPECT_EQ(Finish().exit_code(), 0);
  EXPECT_EQ(out_.size(), 5000000u);
}

TEST_F(ShellTest, BackgroundProcessDoesNotHoldUpTheEnd) {
  Command("sleep 1000 & echo $!");
  EXPECT_EQ(Finish().exit_code(), 0);
  pid_t sleeper = atoi(out_.c_str());
  ASSERT_GT(sleeper, 0);
  kill(sleeper, SIGKILL);
}

TEST_F(ShellTest, TerminalHasTheWindowAndFollowsIt) {
  Interactive(33, 101);
  ASSERT_TRUE(Await("Ctrl-A x"));
  Type("stty size; echo $TERM-$COLORTERM-$KTSTR_TOPOLOGY\n");
  EXPECT_TRUE(Await("33 101"));
  EXPECT_TRUE(Await("xterm-test-truecolor-1n2l2c1t"));
  Resize(44, 55);
  Type("stty size\n");
  EXPECT_TRUE(Await("44 55"));
  Type("exit 5\n");
  EXPECT_EQ(Finish().exit_code(), 5);
}

TEST_F(ShellTest, ControlCReachesTheForegroundProcessAlone) {
  Interactive(24, 80);
  Type("sh -c 'echo before; exec sleep 1000'; echo status=$?\n");
  ASSERT_TRUE(Await("\nbefore\r\n"));
  Type("\x03");
  // Of what was typed in one line nothing else runs; the shell lives.
  Type("\necho after=$((40 + 2))\n");
  EXPECT_TRUE(Await("after=42"));
  EXPECT_THAT(out_, Not(HasSubstr("\nstatus=0")));
  Type("exit\n");
  Finish();
}

TEST_F(ShellTest, JobsCanBeStoppedAndContinued) {
  Interactive(24, 80);
  // The job itself says that it is in the foreground.
  Type("sh -c 'echo ready; exec sleep 1000'\n");
  ASSERT_TRUE(Await("\nready\r\n"));
  Type("\x1a");
  Type("jobs; kill %1; echo gone=$((1 + 1))\n");
  EXPECT_TRUE(Await("Stopped"));
  EXPECT_TRUE(Await("gone=2"));
  Type("exit\nexit\n");
  Finish();
}

TEST_F(ShellTest, HostThatGoesAwayEndsTheShell) {
  Command("sleep 1000");
  HangUp();
  thread_.Join();
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kCancelled));
}

TEST_F(ShellTest, MissingBusyboxIsNotFound) {
  options_.busybox = "/nonexistent/busybox";
  Command("true");
  thread_.Join();
  EXPECT_THAT(status_, StatusIs(absl::StatusCode::kNotFound,
                                HasSubstr("/nonexistent/busybox")));
}

TEST_F(ShellTest, ImpossibleWindowIsRefused) {
  Interactive(-1, 70000);
  thread_.Join();
  EXPECT_THAT(status_,
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("70000")));
  EXPECT_THAT(out_, IsEmpty());
}

TEST(ChildSignalTest, IsReadableOnceAChildHasEnded) {
  ChildSignal signal;
  pollfd waited = {.fd = signal.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waited, 1, 0), 0);
  pid_t child = fork();
  if (child == 0) _exit(0);
  int ready = 0;
  while ((ready = poll(&waited, 1, 60000)) < 0 && errno == EINTR) {
  }
  EXPECT_EQ(ready, 1);
  signal.Clear();
  EXPECT_EQ(poll(&waited, 1, 0), 0);
  waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace ktstr::guestd
