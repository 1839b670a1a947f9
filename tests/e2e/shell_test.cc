// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// `ktstrctl shell` as a script and as a person use it.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Minutes(2);

// Nothing of a shell is left on the machine when its test is over.
class ShellTest : public ::testing::Test {
 protected:
  ShellTest() : before_(Footprint::Take()), dir_(*TempDir::Create("e2e-sh-")) {}

  void TearDown() override {
    dir_.reset();
    AwaitProcessesGone(before_, absl::Seconds(20));
    EXPECT_EQ(Footprint::Take().BeyondThat(before_), "");
  }

  std::vector<std::string> Args(std::vector<std::string> args) {
    std::vector<std::string> argv = {Program("ktstrctl"), "shell", "--kernel",
                                     KernelPath()};
    argv.insert(argv.end(), args.begin(), args.end());
    return argv;
  }

  CommandOutput Run(std::vector<std::string> args) {
    absl::StatusOr<CommandOutput> output =
        RunCommand({.argv = Args(std::move(args))}, absl::Minutes(4));
    EXPECT_OK(output);
    return output.ok() ? *std::move(output) : CommandOutput();
  }

  std::string Path(const std::string& name) {
    return JoinPath(dir_->path(), name);
  }

  Footprint before_;
  std::optional<TempDir> dir_;
};

TEST_F(ShellTest, CommandSeesTheDeclaredMachine) {
  CommandOutput run =
      Run({"--topology", "1,2,2,1", "--exec", "cat /proc/cpuinfo"});
  EXPECT_EQ(run.exit.code, 0) << run.err;
  int processors = 0;
  for (absl::string_view line : absl::StrSplit(run.out, '\n')) {
    processors += absl::StartsWith(line, "processor");
  }
  EXPECT_EQ(processors, 4) << run.out;
  EXPECT_THAT(run.err, IsEmpty());
}

TEST_F(ShellTest, CommandsExitCodeAndStreamsAreOurs) {
  CommandOutput run = Run({"--exec", "echo out; echo err >&2; exit 7"});
  EXPECT_EQ(run.exit.code, 7);
  EXPECT_EQ(run.out, "out\n");
  EXPECT_EQ(run.err, "err\n");
}

TEST_F(ShellTest, MemoryAndConsoleAreAsAsked) {
  CommandOutput run = Run({"--memory", "384", "--dmesg", "--exec",
                           "awk '/MemTotal/ {print $2}' /proc/meminfo"});
  EXPECT_EQ(run.exit.code, 0) << run.err;
  int kib = atoi(run.out.c_str());
  EXPECT_GT(kib, 256 << 10) << run.out;
  EXPECT_LE(kib, 384 << 10) << run.out;
  EXPECT_THAT(run.err, HasSubstr("Linux version"));
}

TEST_F(ShellTest, GuestThatPowersOffUnderACommandIsAFailure) {
  CommandOutput run = Run({"--exec", "poweroff -f"});
  EXPECT_EQ(run.exit.code, 1);
  EXPECT_THAT(run.err, HasSubstr("powered off"));
}

TEST_F(ShellTest, PanicIsTheKernelsAndNotOurs) {
  CommandOutput run = Run({"--exec", "echo c > /proc/sysrq-trigger"});
  EXPECT_EQ(run.exit.code, 1);
  EXPECT_THAT(run.err, HasSubstr("panic"));
}

TEST_F(ShellTest, IncludedTreeAndProgramArrive) {
  ASSERT_OK(MakeDirs(Path("tree/deep")));
  ASSERT_OK(WriteFileAtomically(Path("tree/deep/note"), "found me\n"));
  ASSERT_OK(WriteFileAtomically(
      Path("tree/run.sh"), "#!/bin/sh\ncat /include-files/tree/link\n", 0755));
  ASSERT_EQ(symlink("deep/note", Path("tree/link").c_str()), 0);
  // The one program of the test host with shared libraries of its own.
  CommandOutput run =
      Run({"-i", Path("tree"), "-i", SchedulerPath(), "--exec",
           "/include-files/tree/run.sh; "
           "scx_simple -h 2>&1 | head -n 3; find /include-files | sort"});
  EXPECT_THAT(run.out, HasSubstr("found me\n"));
  EXPECT_THAT(run.out, HasSubstr("sched_ext"));
  EXPECT_THAT(run.out, HasSubstr("/include-files/tree/deep/note\n"));
  EXPECT_THAT(run.out, HasSubstr("/include-files/scx_simple\n"));
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
}

// ktstrctl on a pseudo-terminal, with the test in front of it.
class InteractiveShellTest : public ShellTest {
 protected:
  void Open(int rows, int columns) {
    master_.Reset(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(master_);
    ASSERT_EQ(unlockpt(master_.get()), 0);
    slave_.Reset(
        ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    ASSERT_TRUE(slave_);
    Resize(rows, columns);
    ASSERT_EQ(tcgetattr(slave_.get(), &settings_), 0);
    CommandSpec spec = {.argv = Args({"--topology", "1n1l1c1t"}),
                        .controls_terminal = true};
    for (int fd : {0, 1, 2}) spec.inherited_fds.push_back({slave_.get(), fd});
    ASSERT_OK_AND_ASSIGN(Subprocess started, Subprocess::Start(spec));
    process_.emplace(std::move(started));
    ASSERT_TRUE(Await("Ctrl-A x ends the guest"));
    ASSERT_TRUE(Await("# "));
  }

  void Resize(int rows, int columns) {
    winsize size = {};
    size.ws_row = static_cast<unsigned short>(rows);
    size.ws_col = static_cast<unsigned short>(columns);
    ASSERT_EQ(ioctl(master_.get(), TIOCSWINSZ, &size), 0);
  }

  void Type(const std::string& keys) {
    ASSERT_OK(WriteAll(master_.get(), keys));
  }

  // Waits until `text` was shown after what was awaited before.
  testing::AssertionResult Await(const std::string& text) {
    absl::Time deadline = absl::Now() + kPatience;
    size_t found;
    while ((found = shown_.find(text, seen_)) == std::string::npos) {
      pollfd waited = {.fd = master_.get(), .events = POLLIN, .revents = 0};
      int left =
          static_cast<int>(absl::ToInt64Milliseconds(deadline - absl::Now()));
      if (left <= 0 || poll(&waited, 1, left) <= 0) break;
      char buffer[4096];
      ssize_t count = read(master_.get(), buffer, sizeof(buffer));
      if (count <= 0) break;
      shown_.append(buffer, static_cast<size_t>(count));
    }
    if (found == std::string::npos) {
      return testing::AssertionFailure()
             << "\"" << text << "\" was not shown; all there is:\n"
             << shown_;
    }
    seen_ = found + text.size();
    return testing::AssertionSuccess();
  }

  bool IsRaw() {
    termios now;
    return tcgetattr(slave_.get(), &now) == 0 && (now.c_lflag & ICANON) == 0;
  }

  // Its exit code, and the terminal as it was.
  void ExpectEnd(int code) {
    ASSERT_OK_AND_ASSIGN(ExitStatus exit, process_->WaitFor(kPatience));
    EXPECT_EQ(exit.signal, 0);
    EXPECT_EQ(exit.code, code) << shown_;
    ExpectTerminalRestored();
  }

  void ExpectTerminalRestored() {
    termios now;
    ASSERT_EQ(tcgetattr(slave_.get(), &now), 0);
    EXPECT_EQ(now.c_iflag, settings_.c_iflag);
    EXPECT_EQ(now.c_oflag, settings_.c_oflag);
    EXPECT_EQ(now.c_cflag, settings_.c_cflag);
    EXPECT_EQ(now.c_lflag, settings_.c_lflag);
    EXPECT_EQ(
        std::string(std::begin(now.c_cc), std::end(now.c_cc)),
        std::string(std::begin(settings_.c_cc), std::end(settings_.c_cc)));
  }

  UniqueFd master_;
  UniqueFd slave_;
  termios settings_ = {};
  std::string shown_;
  size_t seen_ = 0;
  std::optional<Subprocess> process_;
};

TEST_F(InteractiveShellTest, PersonWorksAndLeaves) {
  Open(33, 101);
  EXPECT_TRUE(IsRaw());
  Type("stty size\r");
  EXPECT_TRUE(Await("33 101"));
  Resize(44, 55);
  // The new size travels on its own; the question is repeated until it came.
  Type("until [ \"$(stty size)\" = '44 55' ]; do :; done; echo re''sized\r");
  EXPECT_TRUE(Await("\nresized"));
  // The job itself says that it is in the foreground.
  Type("sh -c 'echo sleep''ing; exec sleep 1000'\r");
  ASSERT_TRUE(Await("\nsleeping"));
  Type("\x03");
  Type("echo back=$((40 + 2))\r");
  EXPECT_TRUE(Await("back=42"));
  Type("\x01x");
  ExpectEnd(0);
}

TEST_F(InteractiveShellTest, ExitGivesItsCode) {
  Open(24, 80);
  Type("exit 5\r");
  ExpectEnd(5);
}

TEST_F(InteractiveShellTest, GuestThatPowersOffIsANormalEnd) {
  Open(24, 80);
  Type("poweroff -f\r");
  ExpectEnd(0);
}

TEST_F(InteractiveShellTest, SignalEndsTheGuestAndRestoresTheTerminal) {
  Open(24, 80);
  EXPECT_TRUE(IsRaw());
  kill(process_->pid(), SIGTERM);
  ExpectEnd(130);
}

TEST_F(InteractiveShellTest, SecondSignalRestoresTheTerminalToo) {
  Open(24, 80);
  kill(process_->pid(), SIGTERM);
  kill(process_->pid(), SIGHUP);
  ExpectEnd(130);
}

TEST_F(InteractiveShellTest, DeadlySignalRestoresTheTerminalFirst) {
  Open(24, 80);
  kill(process_->pid(), SIGQUIT);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, process_->WaitFor(kPatience));
  EXPECT_EQ(exit.signal, SIGQUIT);
  ExpectTerminalRestored();
  // Its fleet ends by itself; the next command sweeps what lies around.
  AwaitProcessesGone(before_, absl::Seconds(20));
  EXPECT_EQ(Run({"--exec", "true"}).exit.code, 0);
}

TEST_F(InteractiveShellTest, DeadVmmIsAnErrorOfOurs) {
  Open(24, 80);
  for (int pid : PidsOf("vmm")) kill(pid, SIGKILL);
  EXPECT_TRUE(Await("ktstrctl: error: vmm ended"));
  ExpectEnd(3);
}

// A coordinator and two hosts over TCP.
class RemoteShellTest : public ShellTest {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        Running started,
        Running::Start({Program("coordinator"), "--listen", "127.0.0.1:0",
                        "--data", Path("data"), "--ready-fd", "1"}));
    coordinator_.emplace(std::move(started));
    ASSERT_OK(coordinator_->AwaitLine("127.0.0.1:", absl::Seconds(30)));
    ASSERT_OK(coordinator_->AwaitLine("\n", absl::Seconds(30)));
    const std::string& text = coordinator_->output();
    size_t begin = text.find("127.0.0.1:");
    address_ = text.substr(
        begin, text.find_first_not_of("0123456789.:", begin) - begin);
    for (const char* name : {"a", "b"}) {
      ASSERT_OK_AND_ASSIGN(
          Running host, Running::Start({Program("hostd"), "--coordinator",
                                        address_, "--host-id", name, "--cache",
                                        Path("cache"), "--run-dir", Path(name),
                                        "--cpus", "1", "--ready-fd", "1"}));
      ASSERT_OK(host.AwaitLine("ready", absl::Seconds(60)));
      hosts_.push_back(std::move(host));
    }
  }

  void TearDown() override {
    for (Running& host : hosts_) {
      kill(host.process().pid(), SIGTERM);
      EXPECT_OK(host.Finish(kPatience));
    }
    if (coordinator_) {
      kill(coordinator_->process().pid(), SIGTERM);
      EXPECT_OK(coordinator_->Finish(kPatience));
    }
    ShellTest::TearDown();
  }

  CommandOutput RunOn(const std::string& host, const std::string& command) {
    return Run({"--coordinator", address_, "--host", host, "--exec", command});
  }

  std::optional<Running> coordinator_;
  std::string address_;
  std::vector<Running> hosts_;
};

TEST_F(RemoteShellTest, RunsOnTheNamedHost) {
  CommandOutput run = RunOn("b", "echo hello; exit 4");
  EXPECT_EQ(run.exit.code, 4) << run.err;
  EXPECT_EQ(run.out, "hello\n");

  CommandOutput unknown = RunOn("c", "true");
  EXPECT_EQ(unknown.exit.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("no host \"c\"; there are a, b"));

  // Which one it was: the other one is gone now.
  kill(hosts_[0].process().pid(), SIGKILL);
  ASSERT_OK(hosts_[0].Finish(kPatience));
  hosts_.erase(hosts_.begin());
  EXPECT_EQ(RunOn("b", "true").exit.code, 0);
}

TEST_F(RemoteShellTest, LostHostIsAnErrorOfOurs) {
  ASSERT_OK_AND_ASSIGN(
      Running shell,
      Running::Start(Args({"--coordinator", address_, "--host", "a", "--exec",
                           "echo up; sleep 1000"})));
  ASSERT_OK(shell.AwaitLine("up\n", kPatience));
  kill(hosts_[0].process().pid(), SIGKILL);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, shell.Finish(kPatience));
  EXPECT_EQ(exit.code, 3);
  EXPECT_THAT(shell.output(), HasSubstr("host a was lost"));
  ASSERT_OK(hosts_[0].Finish(kPatience));
  hosts_.erase(hosts_.begin());
}

TEST_F(RemoteShellTest, ClientThatIsKilledTakesItsGuestAlong) {
  ASSERT_OK_AND_ASSIGN(Running shell,
                       Running::Start(Args({"--coordinator", address_, "--exec",
                                            "echo up; sleep 1000"})));
  ASSERT_OK(shell.AwaitLine("up\n", kPatience));
  std::vector<int> guests = PidsOf("vmm");
  ASSERT_EQ(guests.size(), 1u);
  Footprint without_guest = Footprint::Take();
  without_guest.processes.erase(absl::StrCat("vmm ", guests[0]));
  kill(shell.process().pid(), SIGKILL);
  ASSERT_OK(shell.Finish(kPatience));
  AwaitProcessesGone(without_guest, absl::Seconds(30));
  EXPECT_THAT(PidsOf("vmm"), IsEmpty());
}

}  // namespace
}  // namespace ktstr::e2e
