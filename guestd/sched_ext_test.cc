// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/sched_ext.h"

#include <sys/socket.h>

#include <string>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

// As received from a 6.12 kernel when scx_simple attached.
std::string AddUevent() {
  constexpr char kText[] =
      "add@/kernel/sched_ext/root\0ACTION=add\0"
      "DEVPATH=/kernel/sched_ext/root\0SUBSYSTEM=sched_ext\0SCXOPS=simple\0"
      "SEQNUM=512";
  return std::string(kText, sizeof(kText));
}

TEST(SchedExtTest, KnowsItsOwnUevents) {
  EXPECT_TRUE(IsSchedExtUevent(AddUevent()));
  EXPECT_TRUE(IsSchedExtUevent("remove@/kernel/sched_ext/root"));
  EXPECT_FALSE(IsSchedExtUevent("add@/kernel/sched_extra"));
  EXPECT_FALSE(IsSchedExtUevent("add@/devices/x"));
  EXPECT_FALSE(IsSchedExtUevent("libudev"));
  EXPECT_FALSE(IsSchedExtUevent(""));
}

TEST(SchedExtTest, ReadsEveryState) {
  EXPECT_EQ(ParseSchedExtState("disabled\n"), SchedExtState::kDisabled);
  EXPECT_EQ(ParseSchedExtState("enabling\n"), SchedExtState::kEnabling);
  EXPECT_EQ(ParseSchedExtState("enabled\n"), SchedExtState::kEnabled);
  EXPECT_EQ(ParseSchedExtState("disabling\n"), SchedExtState::kDisabling);
  EXPECT_EQ(ParseSchedExtState(""), SchedExtState::kUnknown);
}

class SchedExtDirTest : public ::testing::Test {
 protected:
  SchedExtDirTest() : dir_(*TempDir::Create("sched_ext_test")) {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds), 0);
    kernel_.Reset(fds[0]);
    options_.dir = dir_.path();
    options_.open_uevents = [fd = fds[1]] { return UniqueFd(fd); };
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
                         0, fds),
              0);
    log_.Reset(fds[0]);
    options_.open_messages = [fd = fds[1]] { return UniqueFd(fd); };
  }
  void SetState(const std::string& state) {
    EXPECT_OK(WriteFileAtomically(JoinPath(dir_.path(), "state"), state));
  }
  void Log(const std::string& text) {
    std::string record = "3,1,1,-;" + text + "\n";
    EXPECT_GT(send(log_.get(), record.data(), record.size(), 0), 0);
  }
  absl::Duration Soon() { return RealClock().Monotonic() + absl::Seconds(30); }

  TempDir dir_;
  UniqueFd kernel_;
  UniqueFd log_;
  SchedExt::Options options_;
  EventLoop loop_;
};

TEST_F(SchedExtDirTest, KernelWithoutSchedExtSaysWhichOptionIsMissing) {
  SchedExt::Options options = {.dir = dir_.path() + "/none"};
  EXPECT_THAT(SchedExt::Create(options, &loop_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("CONFIG_SCHED_CLASS_EXT")));
}

TEST_F(SchedExtDirTest, OnlyItsOwnUeventsAreChanges) {
  SetState("disabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  int changes = 0;
  sched_ext->OnChange([&] { ++changes; });
  ASSERT_GT(send(kernel_.get(), "add@/devices/x", 14, 0), 0);
  loop_.RunOnce(Soon());
  EXPECT_EQ(changes, 0);
  std::string add = AddUevent();
  ASSERT_GT(send(kernel_.get(), add.data(), add.size(), 0), 0);
  loop_.RunOnce(Soon());
  EXPECT_EQ(changes, 1);
}

TEST_F(SchedExtDirTest, EndInTheLogIsAChange) {
  SetState("enabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  int changes = 0;
  sched_ext->OnChange([&] { ++changes; });
  Log("something else");
  Log("sched_ext: BPF scheduler \"x\" disabled (scx_bpf_error)");
  loop_.RunUntil([&] { return changes > 0; }, Soon());
  EXPECT_EQ(changes, 1);
}

TEST_F(SchedExtDirTest, ExitIsReadWhole) {
  SetState("enabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  EXPECT_FALSE(sched_ext->ReadExit().has_value());
  Log("sched_ext: BPF scheduler \"x\" disabled (scx_bpf_error)");
  Log("sched_ext: x: went wrong");
  Log("   frame+0x1/0x2");
  SetState("disabled");
  absl::optional<v1::SchedulerExit> exit = sched_ext->ReadExit();
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->kind(), v1::EXIT_ERROR_BPF);
  EXPECT_EQ(exit->message(), "went wrong");
  EXPECT_EQ(exit->backtrace_size(), 1);
}

TEST_F(SchedExtDirTest, EndWithoutAWordIsDone) {
  SetState("disabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  ASSERT_TRUE(sched_ext->ReadExit().has_value());
  EXPECT_EQ(sched_ext->ReadExit()->kind(), v1::EXIT_DONE);
}

TEST_F(SchedExtDirTest, WithoutMessagesNothingIsSaidAboutTheEnd) {
  SetState("disabled");
  options_.open_messages = [] { return absl::PermissionDeniedError("no"); };
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  EXPECT_FALSE(sched_ext->ReadExit().has_value());
}

TEST_F(SchedExtDirTest, AwaitsDisabledThroughDisabling) {
  SetState("enabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  Thread kernel("kernel", [&] {
    SetState("disabling");
    std::string remove = "remove@/kernel/sched_ext/root";
    send(kernel_.get(), remove.data(), remove.size(), 0);
    SetState("disabled");
  });
  EXPECT_TRUE(sched_ext->AwaitDisabled(Soon()));
}

TEST_F(SchedExtDirTest, AwaitDisabledGivesUpAtTheDeadline) {
  SetState("enabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  EXPECT_FALSE(sched_ext->AwaitDisabled(RealClock().Monotonic() +
                                        absl::Milliseconds(10)));
}

TEST_F(SchedExtDirTest, OpsNameIsTrimmedAndMayBeAbsent) {
  SetState("disabled");
  ASSERT_OK_AND_ASSIGN(auto sched_ext, SchedExt::Create(options_, &loop_));
  EXPECT_EQ(sched_ext->ReadOps(), "");
  ASSERT_OK(MakeDirs(JoinPath(dir_.path(), "root")));
  ASSERT_OK(WriteFileAtomically(JoinPath(dir_.path(), "root/ops"), "simple\n"));
  EXPECT_EQ(sched_ext->ReadOps(), "simple");
}

}  // namespace
}  // namespace ktstr::guestd
