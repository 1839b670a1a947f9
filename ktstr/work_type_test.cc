// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/work_type.h"

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST(WorkTypeTest, EveryNameIsThatOfItsType) {
  EXPECT_THAT(WorkType::Names(), SizeIs(22));
  for (const std::string& name : WorkType::Names()) {
    ASSERT_OK_AND_ASSIGN(WorkType type, WorkType::ByName(name));
    EXPECT_EQ(type.name(), name);
    EXPECT_OK(type.Validate());
  }
}

TEST(WorkTypeTest, ByNameTakesOneSpellingAndKnowsTheOthers) {
  EXPECT_THAT(WorkType::ByName("cpuspin").status(),
              StatusIs(kInvalid, HasSubstr("did you mean CpuSpin?")));
  EXPECT_THAT(WorkType::ByName(" CpuSpin").status(),
              StatusIs(kInvalid, AllOf(HasSubstr("there are CpuSpin, "),
                                       HasSubstr("MutexContention"))));
}

TEST(WorkTypeTest, SequenceAndCustomAreNotMadeByName) {
  EXPECT_THAT(WorkType::ByName("Sequence").status(),
              StatusIs(kInvalid, HasSubstr("Sequence cannot be had")));
  EXPECT_THAT(WorkType::ByName("Custom").status(),
              StatusIs(kInvalid, HasSubstr("Custom cannot be had")));
}

TEST(WorkTypeTest, GroupSizes) {
  EXPECT_EQ(WorkType::cpu_spin().group_size(), 1);
  EXPECT_EQ(WorkType::pipe_io().group_size(), 2);
  EXPECT_EQ(WorkType::futex_ping_pong().group_size(), 2);
  EXPECT_EQ(WorkType::cache_pipe().group_size(), 2);
  EXPECT_EQ(WorkType::futex_fan_out().group_size(), 5);
  EXPECT_EQ(WorkType::futex_fan_out({.fan_out = 1}).group_size(), 2);
  EXPECT_EQ(
      WorkType::fan_out_compute({.fan_out = 7, .sleep = 1us}).group_size(), 8);
  EXPECT_EQ(WorkType::mutex_contention().group_size(), 4);
}

TEST(WorkTypeTest, ParametersOutOfRangeAreNamed) {
  EXPECT_THAT(WorkType::futex_fan_out({.fan_out = 0}).Validate(),
              StatusIs(kInvalid, "FutexFanOut: fan_out is 1 to 4095, not 0"));
  EXPECT_THAT(WorkType::cache_pressure({.stride = 0}).Validate(),
              StatusIs(kInvalid, HasSubstr("CachePressure: stride")));
  EXPECT_THAT(WorkType::page_fault_churn({.region_kb = 0}).Validate(),
              StatusIs(kInvalid, HasSubstr("region_kb")));
  EXPECT_THAT(WorkType::bursty({.sleep = -1ms}).Validate(),
              StatusIs(kInvalid, HasSubstr("not -1000000 ns")));
  EXPECT_THAT(WorkType::sequence({}).Validate(),
              StatusIs(kInvalid, HasSubstr("phases is 1 to 1024, not 0")));
  EXPECT_THAT(WorkType::sequence({Phase::spin(0ns)}).Validate(),
              StatusIs(kInvalid, HasSubstr("time of a phase")));
  EXPECT_THAT(
      WorkType::sequence({Phase::loop(0, {Phase::spin(1ns)})}).Validate(),
      StatusIs(kInvalid, HasSubstr("count of a loop")));
  Phase deep = Phase::spin(1ns);
  for (int i = 0; i < 9; ++i) deep = Phase::loop(1, {deep});
  EXPECT_THAT(WorkType::sequence({deep}).Validate(),
              StatusIs(kInvalid, HasSubstr("depth of loops is 1 to 8, not 9")));
  EXPECT_THAT(WorkType::timer_storm({.timers = 1000, .period = 1us}).Validate(),
              StatusIs(kInvalid, HasSubstr("period for each")));
  EXPECT_THAT(WorkType::custom("probe", nullptr).Validate(),
              StatusIs(kInvalid, HasSubstr("\"probe\" has no function")));
}

}  // namespace
}  // namespace ktstr
