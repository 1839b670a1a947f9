// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/report.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/fleet.pb.h"

namespace ktstr::results {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::Variant MakeFailure() {
  v1::Variant variant;
  variant.set_epoch(2);
  variant.add_missed("vmm was killed by signal 9");
  v1::VariantSpec& spec = *variant.mutable_spec();
  spec.set_test("steady");
  spec.set_topology("1n2l2c1t");
  spec.mutable_scheduler()->set_name("scx_simple");
  v1::AttemptResult& result = *variant.mutable_result();
  result.set_outcome(v1::FAIL);
  result.set_reason("1 check failed");
  v1::Finding& finding = *result.add_findings();
  finding.set_kind(v1::STARVED);
  finding.set_message("worker 3 ran 0 iterations");
  finding.set_cgroup("cg_1");
  v1::GroupStats& group = *result.add_groups();
  group.set_cgroup("cg_1");
  group.set_workers(2);
  group.set_cpus(1);
  group.set_iterations(10);
  group.set_spread_pct(81.25);
  v1::PhaseEvidence& phase = *result.add_phases();
  phase.set_phase(v1::WORKLOAD_STARTED);
  phase.mutable_since_start()->set_seconds(2);
  v1::Stimulus& stimulus = *result.add_stimuli();
  stimulus.mutable_elapsed()->set_nanos(500000000);
  stimulus.set_label("hold");
  stimulus.set_workers(4);
  result.set_machine_end("power-off");
  result.mutable_host()->set_host_id("h1");
  result.set_scheduler_log_tail("loaded\nEXIT: runnable task stall\n\n");
  result.set_console_tail("boot\nlast\n");
  return variant;
}

TEST(VariantReportTest, WholeReportsAccountForTheBoot) {
  v1::Variant variant = MakeFailure();
  auto add = [&variant](const char* name, int64_t microseconds) {
    v1::BootStep& step = *variant.mutable_result()->add_boot_steps();
    step.set_name(name);
    step.mutable_since_start()->set_nanos(int32_t(microseconds * 1000));
  };
  add("start", 1250);
  add("vcpus", 3250);
  add("\033[31m", 900000);
  EXPECT_THAT(VariantReport(variant, {.is_verbose = true}),
              HasSubstr("boot:\n"
                        "         1.2 ms       +1.2  process start\n"
                        "         3.2 ms       +2.0  vCPUs created\n"
                        "       900.0 ms     +896.8  \\x1b[31m\n"));
  EXPECT_THAT(VariantReport(variant, {}), Not(HasSubstr("boot:")));
}

TEST(VariantReportTest, TimelineSaysWhatChanged) {
  v1::Variant variant = MakeFailure();
  v1::AttemptResult& result = *variant.mutable_result();
  result.clear_stimuli();
  auto add = [&](int ms, int64_t total, int64_t ended) -> v1::Stimulus& {
    v1::Stimulus& stimulus = *result.add_stimuli();
    stimulus.mutable_elapsed()->set_nanos(ms * 1000000);
    stimulus.set_total_iterations(total);
    stimulus.set_ended_iterations(ended);
    return stimulus;
  };
  add(0, 0, 0).set_label("apart");
  v1::Stimulus& second = add(500, 1000, 1000);
  second.set_step(1);
  second.set_ops(2);
  second.set_op_kinds(1u << 4 | 1u << 16);
  add(900, 1400, 1400).set_is_end(true);
  EXPECT_THAT(
      VariantReport(variant, {}),
      HasSubstr("timeline:\n"
                "        +0 ms  step 0  apart  ops=0 cgroups=0 workers=0 "
                "iterations=0 rate=2000/s\n"
                "      +500 ms  step 1    ops=2 cgroups=0 workers=0 "
                "iterations=1000 rate=1000/s (-50%)  swap_cpusets, freeze\n"
                "scheduler log:\n"));
}

TEST(VariantReportTest, ShowsMeasurementsAndRunsOfTheScheduler) {
  v1::Variant variant = MakeFailure();
  v1::AttemptResult& result = *variant.mutable_result();
  v1::Measurement& measurement = *result.add_measurements();
  measurement.set_name("tenant/p99");
  measurement.set_value(12.5);
  measurement.set_unit("us");
  v1::SchedulerRun& first = *result.add_scheduler_runs();
  first.set_ended_by_test(true);
  first.mutable_exit()->set_kind(v1::EXIT_UNREGISTERED_BY_USER);
  v1::SchedulerRun& second = *result.add_scheduler_runs();
  second.set_died(true);
  second.add_args("--slow");
  second.mutable_exit()->set_kind(v1::EXIT_ERROR_STALL);
  const std::string report = VariantReport(variant, {});
  EXPECT_THAT(report, HasSubstr("measurements:\n  tenant/p99: 12.5 us\n"));
  EXPECT_THAT(report, HasSubstr("scheduler runs:\n"
                                "  1: ended by the test, UNREGISTERED_BY_USER\n"
                                "  2: died, ERROR_STALL  --slow\n"));
}

TEST(VariantReportTest, FollowsTheLayout) {
  EXPECT_EQ(VariantReport(MakeFailure(), {}),
            R"(EXIT: runnable task stall
ktstr_test 'steady' [sched=scx_simple] [topo=1n2l2c1t] failed:
  1 check failed
  STARVED: worker 3 ran 0 iterations (cgroup cg_1)
  earlier attempt missed: vmm was killed by signal 9
stats:
  cg_1: workers=2 cpus=1 iterations=10 migrations=0 spread=81.2%
diagnostics:
  stage: workload started
      2000 ms  workload started
  machine end: power-off
  host: h1, attempt 2
timeline:
      +500 ms  step 0  hold  ops=0 cgroups=0 workers=4 iterations=0
scheduler log:
  loaded
  EXIT: runnable task stall
console, last lines:
  boot
  last
)");
}

std::string ManyLines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) absl::StrAppend(&text, "line", i, "\n");
  return text;
}

TEST(VariantReportTest, ShowsTheWholeConsoleOnlyAfterAPanic) {
  v1::Variant variant = MakeFailure();
  variant.mutable_result()->set_console_tail(ManyLines(100));
  std::string report = VariantReport(variant, {});
  EXPECT_THAT(report, Not(HasSubstr("line79\n")));
  EXPECT_THAT(report, HasSubstr("line80\n"));
  variant.mutable_result()->add_findings()->set_kind(v1::KERNEL_PANIC);
  EXPECT_THAT(VariantReport(variant, {}), HasSubstr("line0\n"));
}

TEST(VariantReportTest, SaysWhyTheKernelEndedTheScheduler) {
  v1::Variant variant = MakeFailure();
  v1::SchedulerExit& exit = *variant.mutable_result()->mutable_scheduler_exit();
  exit.set_kind(v1::EXIT_ERROR_STALL);
  exit.set_reason("runnable task stall");
  exit.set_message("w[7] failed to run for 1.020s");
  exit.add_backtrace("scx_watchdog_workfn+0x154/0x1e0");
  exit.add_backtrace("\x1b[2J");
  EXPECT_THAT(VariantReport(variant, {}),
              HasSubstr("scheduler exit:\n"
                        "  ERROR_STALL (runnable task stall): w[7] failed to "
                        "run for 1.020s\n"
                        "    scx_watchdog_workfn+0x154/0x1e0\n"
                        "    \\x1b[2J\n"
                        "scheduler log:\n"));
  exit.set_kind(v1::EXIT_UNREGISTERED_BY_USER);
  EXPECT_THAT(VariantReport(variant, {}), Not(HasSubstr("scheduler exit")));
}

TEST(VariantReportTest, ShowsTheBeginningOfADump) {
  v1::Variant variant = MakeFailure();
  variant.mutable_result()->set_sched_ext_dump(ManyLines(100));
  std::string report = VariantReport(variant, {});
  EXPECT_THAT(report, HasSubstr("sched_ext dump:\n  line0\n"));
  EXPECT_THAT(report,
              HasSubstr("line39\n  and 60 lines more in the dump's file\n"));
  EXPECT_THAT(report, Not(HasSubstr("line40\n")));
  EXPECT_THAT(VariantReport(variant, {.is_verbose = true}),
              HasSubstr("line99\n"));
}

TEST(VariantReportTest, SchedulerLogIsShownWithoutWhatRepeats) {
  v1::Variant variant = MakeFailure();
  variant.mutable_result()->add_phases()->set_phase(v1::SCHEDULER_ATTACHED);
  std::string log = "first\n";
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&log, "4: (07) r1 += 1   ; R1=", i,
                    "\n5: R0=1\n6: R0=1\n7: R0=1\n8: (05) goto pc-5\n");
  }
  variant.mutable_result()->set_scheduler_log_tail(log + "rejected\n");
  EXPECT_THAT(
      VariantReport(variant, {}),
      HasSubstr("scheduler log:\n"
                "  first\n"
                "  --- 100 times the same 5 lines; the first time: ---\n"
                "  4: (07) r1 += 1   ; R1=0\n  5: R0=1\n  6: R0=1\n"
                "  7: R0=1\n  8: (05) goto pc-5\n"
                "  --- 98 left out; the last time: ---\n"
                "  4: (07) r1 += 1   ; R1=99\n  5: R0=1\n  6: R0=1\n"
                "  7: R0=1\n  8: (05) goto pc-5\n"
                "  --- end of what repeats ---\n"
                "  rejected\n"));
  std::string whole = VariantReport(variant, {.is_verbose = true});
  EXPECT_THAT(whole, HasSubstr("  4: (07) r1 += 1   ; R1=50\n"));
  EXPECT_THAT(whole, Not(HasSubstr("left out")));
}

TEST(ReportTest, SchedulerLogSaysWhatIsMissingBeforeIt) {
  v1::Variant variant;
  variant.mutable_result()->set_outcome(v1::FAIL);
  variant.mutable_result()->set_scheduler_log_tail("last\n");
  EXPECT_THAT(VariantReport(variant, {}), Not(HasSubstr("not kept")));
  variant.mutable_result()->set_scheduler_log_bytes_dropped(7);
  EXPECT_THAT(VariantReport(variant, {}),
              HasSubstr("scheduler log (7 bytes before it are not kept)"));
}

TEST(VariantReportTest, SchedulerThatNeverAttachedMayExplainItself) {
  v1::Variant variant = MakeFailure();
  variant.mutable_result()->set_scheduler_log_tail(ManyLines(150));
  std::string report = VariantReport(variant, {});
  EXPECT_THAT(report, Not(HasSubstr("line49\n")));
  EXPECT_THAT(report, HasSubstr("line50\n"));
  variant.mutable_result()->add_phases()->set_phase(v1::SCHEDULER_ATTACHED);
  report = VariantReport(variant, {});
  EXPECT_THAT(report, Not(HasSubstr("line129\n")));
  EXPECT_THAT(report, HasSubstr("line130\n"));
}

TEST(VariantReportTest, NeverCallsAMissAFailure) {
  v1::Variant variant = MakeFailure();
  variant.mutable_result()->set_outcome(v1::MISS);
  std::string report = VariantReport(variant, {});
  EXPECT_THAT(report, HasSubstr("ended in MISS:"));
  EXPECT_THAT(report, Not(HasSubstr("failed:")));
}

TEST(VariantReportTest, GuestTextCannotSteerTheTerminal) {
  v1::Variant variant = MakeFailure();
  v1::AttemptResult& result = *variant.mutable_result();
  std::string hostile = "\x1b]0;owned\x07\x9b\x1b[2J";
  variant.mutable_spec()->set_test(hostile);
  variant.mutable_spec()->mutable_scheduler()->set_name(hostile);
  variant.add_missed(hostile);
  result.set_reason(hostile);
  result.mutable_findings(0)->set_message(hostile);
  result.mutable_findings(0)->set_cgroup(hostile);
  result.mutable_groups(0)->set_cgroup(hostile);
  result.mutable_phases(0)->set_detail(hostile);
  result.mutable_stimuli(0)->set_label(hostile);
  result.set_machine_end(hostile);
  result.set_machine_end_detail(hostile);
  result.mutable_host()->set_host_id(hostile);
  result.set_console_tail(hostile);
  result.set_scheduler_log_tail(hostile);
  result.set_test_log_tail(hostile);
  result.set_kernel_log_tail(hostile);
  result.set_sched_ext_dump(hostile);
  std::string report = VariantReport(variant, {});
  for (unsigned char c : report) {
    ASSERT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7F)) << int{c};
  }
}

TEST(VariantReportTest, SaysTheLittleThatIsKnown) {
  v1::Variant variant;
  variant.mutable_result()->set_outcome(v1::MISS);
  std::string report = VariantReport(variant, {});
  EXPECT_THAT(report, StartsWith("ktstr_test ''"));
  EXPECT_THAT(report, HasSubstr("stage: not started"));
}

TEST(ReasonOfTest, FallsBackToFindingThenMachineEnd) {
  v1::Variant variant = MakeFailure();
  EXPECT_EQ(ReasonOf(variant), "1 check failed");
  variant.mutable_result()->clear_reason();
  EXPECT_EQ(ReasonOf(variant), "worker 3 ran 0 iterations");
  variant.mutable_result()->clear_findings();
  EXPECT_EQ(ReasonOf(variant), "power-off");
  variant.mutable_result()->set_outcome(v1::PASS);
  EXPECT_EQ(ReasonOf(variant), "");
}

}  // namespace
}  // namespace ktstr::results
