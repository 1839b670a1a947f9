// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/inventory.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

TEST(ProbeReportTest, ReadsEveryKey) {
  ASSERT_OK_AND_ASSIGN(ProbeReport report,
                       ParseProbeReport(R"({"usable": false, "api": 12,
        "kernel_mode_mips": 2.9, "syscall_cpl": 3, "later": [1],
        "reason": "SYSCALL arrives at privilege 3",
        "advice": "use tools/labhost"})"));
  EXPECT_FALSE(report.usable);
  EXPECT_EQ(report.api, 12);
  EXPECT_DOUBLE_EQ(report.kernel_mode_mips, 2.9);
  EXPECT_EQ(report.syscall_cpl, 3);
  EXPECT_EQ(UnusableReason(report),
            "SYSCALL arrives at privilege 3; use tools/labhost");
}

TEST(ProbeReportTest, RefusesWhatIsNoReport) {
  for (const char* text : {"", "[]", "{}", "{\"usable\": 1}", "usable"}) {
    EXPECT_THAT(ParseProbeReport(text),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(ProbeReportTest, SurvivesOddValues) {
  ASSERT_OK_AND_ASSIGN(
      ProbeReport report,
      ParseProbeReport(R"({"usable": true, "api": 1e300, "reason": 4,
                           "kernel_mode_mips": -3})"));
  EXPECT_EQ(report.api, 1000000);
  EXPECT_EQ(report.kernel_mode_mips, 0);
  EXPECT_EQ(UnusableReason(report), "");
}

TEST(ProbeVmmTest, MissingProgramIsAReport) {
  ProbeReport report = ProbeVmm("/nonexistent/vmm");
  EXPECT_FALSE(report.usable);
  EXPECT_THAT(UnusableReason(report), HasSubstr("--libexec"));
}

TEST(ProbeVmmTest, ProgramThatSaysNothingIsAReport) {
  EXPECT_THAT(UnusableReason(ProbeVmm("/bin/true")),
              HasSubstr("gave no report"));
}

TEST(InventoryTest, ReadsProcText) {
  EXPECT_EQ(ParseCpuModel("processor\t: 0\nmodel name\t: QEMU TCG CPU "
                          "version 2.5+\nprocessor\t: 1\n"),
            "QEMU TCG CPU version 2.5+");
  EXPECT_EQ(ParseCpuModel("nothing"), "");
  EXPECT_EQ(ParseAvailableMib("MemTotal:  8000 kB\nMemAvailable:   4096 kB\n"),
            4);
  EXPECT_EQ(ParseAvailableMib("MemAvailable: lots\n"), 0);
}

TEST(InventoryTest, TellsInterpretedMachinesFromDirectOnes) {
  EXPECT_EQ(HostClass("QEMU TCG CPU version 2.5+", 300), "emulated");
  EXPECT_EQ(HostClass("QEMU Virtual CPU version 2.5+", 0), "emulated");
  EXPECT_EQ(HostClass("Intel(R) Xeon(R)", 2.9), "emulated");
  EXPECT_EQ(HostClass("Intel(R) Xeon(R)", 900), "direct");
  EXPECT_EQ(HostClass("Intel(R) Xeon(R)", 0), "direct");
}

TEST(InventoryTest, FindsMemoryAndAName) {
  EXPECT_THAT(DefaultHostId(), ::testing::MatchesRegex("[A-Za-z0-9._-]+"));
  EXPECT_GT(GuestMemoryMib(), 0);
}

}  // namespace
}  // namespace ktstr::hostd
