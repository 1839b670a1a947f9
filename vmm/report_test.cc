// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/report.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

using ::testing::ElementsAre;

class ReportTest : public testing::Test {
 protected:
  ReportTest() {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    read_.Reset(ends[0]);
    write_.Reset(ends[1]);
  }
  std::vector<MachineEvent> Events() {
    write_.Reset();
    std::vector<MachineEvent> events;
    for (auto line :
         absl::StrSplit(*ReadAll(read_.get()), '\n', absl::SkipEmpty())) {
      auto event = ParseMachineEvent(line);
      EXPECT_OK(event.status());
      events.push_back(*event);
    }
    return events;
  }

  FakeClock clock_;
  UniqueFd read_, write_;
};

TEST_F(ReportTest, LinesCarryNameTimeAndDetails) {
  Report report(write_.get(), &clock_);
  report.EmitStart("attempt epoch 7");
  clock_.Advance(absl::Microseconds(1500));
  report.EmitVcpus({11, 12});
  report.EmitEnd({.end = MachineEnd::kPowerOff, .detail = "bye"});
  auto events = Events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].detail, "attempt epoch 7");
  EXPECT_EQ(events[1].at, absl::Microseconds(1500));
  EXPECT_THAT(events[1].tids, ElementsAre(11, 12));
  EXPECT_EQ(events[2].end, MachineEnd::kPowerOff);
  EXPECT_EQ(events[2].detail, "bye");
}

TEST_F(ReportTest, AnEventIsWrittenOnce) {
  Report report(write_.get(), &clock_);
  report.Emit("first-io");
  report.Emit("first-io");
  EXPECT_EQ(Events().size(), 1u);
}

TEST_F(ReportTest, NothingFollowsTheEnd) {
  Report report(write_.get(), &clock_);
  report.EmitEnd({.end = MachineEnd::kReset});
  report.Emit("console");
  report.EmitEnd({.end = MachineEnd::kStopped});
  EXPECT_EQ(Events().size(), 1u);
}

}  // namespace
}  // namespace ktstr::vmm
