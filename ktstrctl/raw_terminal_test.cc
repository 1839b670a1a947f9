// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/raw_terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

class RawTerminalTest : public ::testing::Test {
 protected:
  RawTerminalTest() : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    unlockpt(master_.get());
    terminal_.Reset(
        ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    tcgetattr(terminal_.get(), &before_);
  }

  bool IsRaw() {
    termios now;
    EXPECT_EQ(tcgetattr(terminal_.get(), &now), 0);
    return (now.c_lflag & (ICANON | ISIG | ECHO)) == 0;
  }
  bool IsAsBefore() {
    termios now;
    EXPECT_EQ(tcgetattr(terminal_.get(), &now), 0);
    return now.c_iflag == before_.c_iflag && now.c_oflag == before_.c_oflag &&
           now.c_cflag == before_.c_cflag && now.c_lflag == before_.c_lflag;
  }

  UniqueFd master_;
  UniqueFd terminal_;
  termios before_ = {};
};

TEST_F(RawTerminalTest, IsRawUntilDestroyed) {
  {
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<RawTerminal> raw,
                         RawTerminal::Enter(terminal_.get()));
    EXPECT_TRUE(IsRaw());
  }
  EXPECT_TRUE(IsAsBefore());
  RawTerminal::RestoreNow();
}

TEST_F(RawTerminalTest, IsRestoredForAThreadThatEndsTheProcess) {
  ASSERT_OK_AND_ASSIGN(std::unique_ptr<RawTerminal> raw,
                       RawTerminal::Enter(terminal_.get()));
  RawTerminal::RestoreNow();
  EXPECT_TRUE(IsAsBefore());
}

TEST_F(RawTerminalTest, IsRestoredBeforeASignalEndsTheProcess) {
  for (int number : {SIGQUIT, SIGABRT, SIGSEGV}) {
    pid_t child = fork();
    if (child == 0) {
      auto raw = RawTerminal::Enter(terminal_.get());
      if (!raw.ok() || !IsRaw()) _exit(1);
      raise(number);
      _exit(2);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << number;
    EXPECT_EQ(WTERMSIG(status), number);
    EXPECT_TRUE(IsAsBefore()) << number;
  }
}

TEST_F(RawTerminalTest, WhatIsNoTerminalIsRefused) {
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(RawTerminal::Enter(null.get()).ok());
}

}  // namespace
}  // namespace ktstr::ktstrctl
