// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_record.h"

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

TEST(GuestRecordTest, KeepsTheFirstVerdict) {
  GuestRecord record;
  GuestEvent event;
  event.mutable_verdict()->set_passed(false);
  record.Apply(event, absl::ZeroDuration());
  event.mutable_verdict()->set_passed(true);
  record.Apply(event, absl::ZeroDuration());
  EXPECT_FALSE(record.verdict->passed());
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

TEST(GuestRecordTest, ShortensALongVerdictWithoutBreakingCharacters) {
  GuestEvent event;
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xc3\xa4";
  for (int i = 0; i < GuestRecord::kMaxListed + 5; ++i) {
    event.mutable_verdict()->add_findings()->set_message("x" + umlauts);
    event.mutable_verdict()->add_groups();
  }
  GuestRecord record;
  record.Apply(event, absl::ZeroDuration());
  EXPECT_EQ(record.verdict->findings_size(), GuestRecord::kMaxListed);
  EXPECT_EQ(record.verdict->groups_size(), GuestRecord::kMaxListed);
  const std::string& message = record.verdict->findings(0).message();
  EXPECT_EQ(message.size(), 1023u);
  EXPECT_EQ(message.substr(1021), "\xc3\xa4");
}

}  // namespace
}  // namespace ktstr::hostd
