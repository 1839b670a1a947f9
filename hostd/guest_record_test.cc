// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_record.h"

#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ktstr::v1::GuestEvent;

GuestEvent PhaseEvent(ktstr::v1::Phase phase) {
  GuestEvent event;
  event.set_phase(phase);
  return event;
}

TEST(GuestRecordTest, CountsAPhaseOnceAndOnlyGuestdsOwn) {
  GuestRecord record;
  for (int phase = 0; phase < 12; ++phase) {
    record.Apply(PhaseEvent(static_cast<ktstr::v1::Phase>(phase)),
                 absl::Seconds(phase));
    record.Apply(PhaseEvent(static_cast<ktstr::v1::Phase>(phase)),
                 absl::Seconds(100));
  }
  ASSERT_EQ(record.phases.size(), 4u);
  EXPECT_EQ(record.phases[0].first, ktstr::v1::SCHEDULER_ATTACHED);
  EXPECT_EQ(record.phases[0].second, absl::Seconds(5));
  EXPECT_EQ(record.phases[3].first, ktstr::v1::DETACHED);
}

TEST(GuestRecordTest, KeepsTheSchedulersLogAndCountsWhatItCannot) {
  GuestRecord record;
  GuestEvent event;
  event.set_scheduler_log(std::string(GuestRecord::kSchedulerLogBytes, 'a'));
  record.Apply(event, absl::ZeroDuration());
  EXPECT_EQ(record.scheduler_log.text().size(),
            GuestRecord::kSchedulerLogBytes);
  EXPECT_EQ(record.scheduler_log.dropped(), 0);
  event.set_scheduler_log("last words");
  record.Apply(event, absl::ZeroDuration());
  EXPECT_EQ(record.scheduler_log.text().size(),
            GuestRecord::kSchedulerLogBytes);
  EXPECT_EQ(record.scheduler_log.dropped(), 10);
  EXPECT_EQ(
      record.scheduler_log.text().substr(GuestRecord::kSchedulerLogBytes - 11),
      "alast words");
}

TEST(GuestRecordTest, KeepsTheFirstVerdict) {
  GuestRecord record;
  GuestEvent event;
  event.mutable_verdict()->set_passed(false);
  record.Apply(event, absl::ZeroDuration());
  event.mutable_verdict()->set_passed(true);
  record.Apply(event, absl::ZeroDuration());
  EXPECT_FALSE(record.verdict->passed());
}

TEST(GuestRecordTest, LastReportCountsAndItsMarksStay) {
  GuestRecord record;
  GuestEvent event;
  event.mutable_scheduler()->set_detached_early(true);
  event.mutable_scheduler()->mutable_exit()->set_kind(
      ktstr::v1::EXIT_ERROR_STALL);
  record.Apply(event, absl::ZeroDuration());
  event.mutable_scheduler()->set_detached_early(false);
  event.mutable_scheduler()->set_died(true);
  event.mutable_scheduler()->set_exit_code(3);
  event.mutable_scheduler()->mutable_exit()->set_message("why");
  record.Apply(event, absl::ZeroDuration());
  EXPECT_TRUE(record.scheduler->detached_early());
  EXPECT_TRUE(record.scheduler->died());
  EXPECT_EQ(record.scheduler->exit_code(), 3);
  EXPECT_EQ(record.scheduler->exit().message(), "why");
}

GuestEvent RunReport(int run, ktstr::v1::SchedulerExitKind kind) {
  GuestEvent event;
  event.mutable_scheduler()->set_run(run);
  event.mutable_scheduler()->mutable_exit()->set_kind(kind);
  return event;
}

TEST(GuestRecordTest, OfSeveralRunsTheFirstInTroubleDecides) {
  GuestRecord record;
  record.Apply(RunReport(0, ktstr::v1::EXIT_UNREGISTERED_BY_USER),
               absl::ZeroDuration());
  EXPECT_EQ(record.scheduler->run(), 0);
  record.Apply(RunReport(1, ktstr::v1::EXIT_ERROR_STALL), absl::ZeroDuration());
  record.Apply(RunReport(2, ktstr::v1::EXIT_UNREGISTERED_BY_USER),
               absl::ZeroDuration());
  EXPECT_EQ(record.scheduler->run(), 1);
  ASSERT_EQ(record.scheduler_runs.size(), 3u);
  EXPECT_EQ(record.scheduler_runs[2].exit().kind(),
            ktstr::v1::EXIT_UNREGISTERED_BY_USER);
}

TEST(GuestRecordTest, MarksOfOneRunAreNotThoseOfTheNext) {
  GuestRecord record;
  GuestEvent event;
  event.mutable_scheduler()->set_died(true);
  record.Apply(event, absl::ZeroDuration());
  event.mutable_scheduler()->set_died(false);
  record.Apply(event, absl::ZeroDuration());
  event.mutable_scheduler()->set_run(1);
  record.Apply(event, absl::ZeroDuration());
  EXPECT_TRUE(record.scheduler_runs[0].died());
  EXPECT_FALSE(record.scheduler_runs[1].died());
  for (int run = -500; run < 500; ++run) {
    record.Apply(RunReport(run, ktstr::v1::EXIT_DONE), absl::ZeroDuration());
  }
  EXPECT_EQ(record.scheduler_runs.size(), GuestRecord::kMaxRuns);
}

TEST(GuestRecordTest, BoundsTheEndOfAScheduler) {
  GuestEvent event;
  ktstr::v1::SchedulerExit& exit = *event.mutable_scheduler()->mutable_exit();
  const std::string text(5000, 'x');
  exit.set_ops(text);
  exit.set_reason(text);
  exit.set_message(text);
  exit.mutable_stalled_task()->set_comm(text);
  for (int i = 0; i < 1000; ++i) exit.add_backtrace(text);
  GuestRecord record;
  record.Apply(event, absl::ZeroDuration());
  const ktstr::v1::SchedulerExit& kept = record.scheduler->exit();
  EXPECT_EQ(kept.ops().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.reason().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.message().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.stalled_task().comm().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.backtrace_size(), GuestRecord::kMaxFrames);
  EXPECT_EQ(kept.backtrace(63).size(), GuestRecord::kMaxText);
}

TEST(GuestRecordTest, BoundsEverythingAGuestMaySendForEver) {
  GuestRecord record;
  GuestEvent log;
  log.set_test_log(std::string(60000, 'a'));
  GuestEvent kernel_log;
  kernel_log.set_kernel_log(log.test_log());
  GuestEvent stimulus;
  stimulus.mutable_stimulus()->set_label(std::string(5000, 'b'));
  for (int i = 0; i < GuestRecord::kMaxStimuli + 10; ++i) {
    record.Apply(stimulus, absl::ZeroDuration());
    if (i < 100) record.Apply(log, absl::ZeroDuration());
    if (i < 100) record.Apply(kernel_log, absl::ZeroDuration());
  }
  EXPECT_EQ(record.stimuli.size(), size_t{GuestRecord::kMaxStimuli});
  EXPECT_EQ(record.stimuli[0].label().size(), GuestRecord::kMaxText);
  EXPECT_EQ(record.test_log.text().size(), GuestRecord::kLogBytes);
  EXPECT_EQ(record.kernel_log.text().size(), GuestRecord::kLogBytes);
}

TEST(GuestRecordTest, BoundsWhatATestRecords) {
  GuestEvent event;
  for (int i = 0; i < 1000; ++i) {
    ktstr::v1::Measurement& measurement =
        *event.mutable_verdict()->add_measurements();
    measurement.set_name(std::string(5000, 'n'));
    measurement.set_unit(std::string(5000, 'u'));
    measurement.set_value(std::numeric_limits<double>::quiet_NaN());
    measurement.set_target(std::numeric_limits<double>::infinity());
  }
  GuestRecord record;
  record.Apply(event, absl::ZeroDuration());
  ASSERT_EQ(record.verdict->measurements_size(), GuestRecord::kMaxMeasurements);
  const ktstr::v1::Measurement& kept = record.verdict->measurements(0);
  EXPECT_EQ(kept.name().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.unit().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.value(), 0);
  EXPECT_EQ(kept.target(), 0);
}

TEST(GuestRecordTest, KeepsTheBeginningOfADump) {
  GuestRecord record;
  GuestEvent event;
  event.set_sched_ext_dump("first line\n" + std::string(60000, 'x'));
  for (int i = 0; i < 100; ++i) record.Apply(event, absl::ZeroDuration());
  EXPECT_EQ(record.sched_ext_dump.size(), GuestRecord::kDumpBytes);
  EXPECT_EQ(record.sched_ext_dump.substr(0, 11), "first line\n");
}

TEST(GuestRecordTest, ShortensALongVerdictWithoutBreakingCharacters) {
  GuestEvent event;
  std::string umlauts;
  for (int i = 0; i < 2000; ++i) umlauts += "\xc3\xa4";
  for (int i = 0; i < GuestRecord::kMaxListed + 5; ++i) {
    event.mutable_verdict()->add_findings()->set_message("x" + umlauts);
    event.mutable_verdict()->add_groups();
  }
  GuestRecord record;
  record.Apply(event, absl::ZeroDuration());
  EXPECT_EQ(record.verdict->findings_size(), GuestRecord::kMaxListed);
  EXPECT_EQ(record.verdict->groups_size(), GuestRecord::kMaxListed);
  const std::string& message = record.verdict->findings(0).message();
  EXPECT_EQ(message.size(), GuestRecord::kMaxText - 1);
  EXPECT_EQ(message.substr(message.size() - 2), "\xc3\xa4");
}

TEST(GuestRecordTest, BoundsWhatIsSaidAboutPrograms) {
  GuestRecord record;
  GuestEvent event;
  for (int i = 0; i < GuestRecord::kMaxListed + 1; ++i) {
    ktstr::v1::BpfProgram& program =
        *event.mutable_bpf_programs()->add_programs();
    program.set_name(std::string(5000, 'n'));
    program.set_log(std::string(200 << 10, 'a') + "end");
    program.mutable_stack_depths()->Resize(5000, 8);
  }
  event.mutable_bpf_programs()->set_missing(std::string(5000, 'm'));
  record.Apply(event, absl::ZeroDuration());
  const ktstr::v1::BpfPrograms& kept = *record.bpf_programs;
  ASSERT_EQ(kept.programs_size(), GuestRecord::kMaxListed);
  EXPECT_EQ(kept.missing().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.programs(0).name().size(), GuestRecord::kMaxText);
  EXPECT_EQ(kept.programs(0).stack_depths_size(), GuestRecord::kMaxListed);
  size_t all = 0;
  for (const auto& program : kept.programs()) all += program.log().size();
  EXPECT_EQ(all, size_t{GuestRecord::kLogBytes});
  // The last program's whole, and the end of the one before it.
  const int last = kept.programs_size() - 1;
  EXPECT_EQ(kept.programs(last).log_bytes_dropped(), 0);
  EXPECT_EQ(kept.programs(last).log().size(), (200u << 10) + 3);
  EXPECT_EQ(kept.programs(last - 1).log().size(), (56u << 10) - 3);
  EXPECT_EQ(kept.programs(last - 1).log().back(), 'd');
  EXPECT_EQ(kept.programs(last - 1).log_bytes_dropped(), (144 << 10) + 6);
}

}  // namespace
}  // namespace ktstr::hostd
