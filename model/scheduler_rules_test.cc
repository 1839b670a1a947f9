// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/scheduler_rules.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;
using ::testing::IsNull;

// Usable while compiling.
static_assert(KargProblem("nokaslr") != nullptr);
static_assert(KargProblem("isolcpus=1-2") == nullptr);
static_assert(CgroupParentProblem("/") != nullptr);

TEST(KargProblemTest, AcceptsOrdinaryParameters) {
  for (const char* word :
       {"isolcpus=nohz,domain,1-2", "preempt=full", "sched_verbose",
        "initcall_debug", "panic_on_warn", "consoleblank=0", "a=b=c",
        "debug_objects", "rcu_nocbs=all"}) {
    EXPECT_THAT(KargProblem(word), IsNull()) << word;
  }
}

TEST(KargProblemTest, RefusesWhatGuestsAreBootedBy) {
  for (const char* word : {"nokaslr",
                           "console=ttyS1",
                           "loglevel=7",
                           "init=/bin/sh",
                           "rdinit=/x",
                           "ktstr.epoch=4",
                           "ktstr.nonce=0",
                           "reboot=k",
                           "panic=5",
                           "maxcpus=1",
                           "earlycon=uart",
                           "ignore_loglevel",
                           "no-timer-check",
                           "no_timer_check",
                           "virtio_mmio.device=1",
                           "virtio-mmio.device=1",
                           "rootfstype=ramfs",
                           "i8042.noaux",
                           "mem=1G",
                           "quiet"}) {
    ASSERT_NE(KargProblem(word), nullptr) << word;
    EXPECT_THAT(KargProblem(word), HasSubstr("reserved")) << word;
  }
}

TEST(KargProblemTest, RefusesWhatIsNotOneWord) {
  EXPECT_THAT(KargProblem(""), HasSubstr("empty"));
  EXPECT_THAT(KargProblem("a b"), HasSubstr("white space"));
  EXPECT_THAT(KargProblem("a\nb"), HasSubstr("white space"));
  EXPECT_THAT(KargProblem("a=\"b\""), HasSubstr("quotes"));
  EXPECT_THAT(KargProblem("a='b'"), HasSubstr("quotes"));
  EXPECT_THAT(KargProblem("--"), HasSubstr("no kernel parameter"));
  EXPECT_THAT(KargProblem("=1"), HasSubstr("no kernel parameter"));
  EXPECT_THAT(KargProblem(std::string(257, 'a')), HasSubstr("longer"));
  EXPECT_THAT(KargProblem("sysctl.kernel.x=1"), HasSubstr("sysctl"));
}

TEST(SysctlProblemTest, WantsADottedName) {
  EXPECT_THAT(SysctlKeyProblem("kernel.sched_schedstats"), IsNull());
  EXPECT_THAT(SysctlKeyProblem("net.ipv4.ip-forward"), IsNull());
  EXPECT_THAT(SysctlKeyProblem(""), HasSubstr("1 to 256"));
  EXPECT_THAT(SysctlKeyProblem("kernel"), HasSubstr("no dot"));
  EXPECT_THAT(SysctlKeyProblem("kernel/panic"), HasSubstr("not made of"));
  EXPECT_THAT(SysctlKeyProblem("kernel..panic"), HasSubstr("empty part"));
  EXPECT_THAT(SysctlKeyProblem(".panic"), HasSubstr("empty part"));
  EXPECT_THAT(SysctlKeyProblem("kernel."), HasSubstr("empty part"));
}

TEST(SetupValueProblemTest, IsOneLine) {
  EXPECT_THAT(SetupValueProblem("4 4 1 7"), IsNull());
  EXPECT_THAT(SetupValueProblem(""), HasSubstr("empty"));
  EXPECT_THAT(SetupValueProblem("1\n2"), HasSubstr("control"));
  EXPECT_THAT(SetupValueProblem(std::string(257, '1')), HasSubstr("longer"));
}

TEST(CgroupParentProblemTest, IsBelowTheRoot) {
  EXPECT_THAT(CgroupParentProblem("/cells"), IsNull());
  EXPECT_THAT(CgroupParentProblem("/a/b.slice"), IsNull());
  EXPECT_THAT(CgroupParentProblem(""), HasSubstr("begin with"));
  EXPECT_THAT(CgroupParentProblem("cells"), HasSubstr("begin with"));
  EXPECT_THAT(CgroupParentProblem("/"), HasSubstr("root"));
  for (const char* path : {"//a", "/a/", "/a//b", "/../a", "/a/.", "/a\nb"}) {
    ASSERT_NE(CgroupParentProblem(path), nullptr) << path;
    EXPECT_THAT(CgroupParentProblem(path), HasSubstr("empty parts"));
  }
}

TEST(SetupFileProblemTest, IsAFileOfTheKernel) {
  EXPECT_THAT(SetupFileProblem("/sys/kernel/debug/sched/features"), IsNull());
  EXPECT_THAT(SetupFileProblem("/proc/sys/kernel/x"), IsNull());
  EXPECT_THAT(SetupFileProblem("/etc/passwd"), HasSubstr("not below"));
  EXPECT_THAT(SetupFileProblem("/sys/../etc/x"), HasSubstr("empty parts"));
  EXPECT_THAT(SetupFileProblem("/sys/"), HasSubstr("empty parts"));
}

TEST(WatchdogTimeoutProblemTest, HasBounds) {
  EXPECT_THAT(WatchdogTimeoutProblem(100), IsNull());
  EXPECT_THAT(WatchdogTimeoutProblem(30000), IsNull());
  EXPECT_THAT(WatchdogTimeoutProblem(99), HasSubstr("100 ms to 30 s"));
  EXPECT_THAT(WatchdogTimeoutProblem(30001), HasSubstr("100 ms to 30 s"));
  EXPECT_THAT(WatchdogTimeoutProblem(-1), HasSubstr("100 ms to 30 s"));
}

TEST(ConfigFileProblemTest, NamesAFile) {
  EXPECT_THAT(ConfigFileProblem("layers.json"), IsNull());
  EXPECT_THAT(ConfigFileProblem("../a/layers.json"), IsNull());
  EXPECT_THAT(ConfigFileProblem(""), HasSubstr("empty"));
  EXPECT_THAT(ConfigFileProblem("/etc/"), HasSubstr("no file"));
  EXPECT_THAT(ConfigFileProblem("a/.."), HasSubstr("no file"));
  EXPECT_THAT(ConfigFileProblem("a\nb"), HasSubstr("control"));
}

}  // namespace
}  // namespace ktstr
