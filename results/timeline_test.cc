// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/timeline.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/outcome.pb.h"

namespace ktstr::results {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Given {
  int at_ms;
  int64_t total;
  int64_t ended;
  bool is_end = false;
};

google::protobuf::RepeatedPtrField<v1::Stimulus> Stimuli(
    const std::vector<Given>& given) {
  google::protobuf::RepeatedPtrField<v1::Stimulus> stimuli;
  for (const Given& g : given) {
    v1::Stimulus& stimulus = *stimuli.Add();
    stimulus.mutable_elapsed()->set_nanos(g.at_ms * 1'000'000);
    stimulus.set_total_iterations(g.total);
    stimulus.set_ended_iterations(g.ended);
    stimulus.set_is_end(g.is_end);
  }
  return stimuli;
}

TEST(TimelineTest, ActionsHaveNames) {
  auto stimuli = Stimuli({{0, 0, 0}});
  EXPECT_THAT(TimelineOf(stimuli)[0].actions, IsEmpty());
  stimuli[0].set_op_kinds(1u << 0 | 1u << 2 | 1u << 16 | 1u << 31);
  EXPECT_THAT(TimelineOf(stimuli)[0].actions,
              ElementsAre("add_cgroup", "set_cpuset", "freeze", "op_31"));
}

TEST(TimelineTest, RatesAreOfWhatWasDoneUntilTheNext) {
  // 1000 in 100 ms; then workers of a step went (400 of 2000 stayed) and 130 in
  // 100 ms were done; then 91 in 100 ms.
  const auto stimuli = Stimuli(
      {{0, 0, 0}, {100, 1000, 1000}, {200, 400, 1130}, {300, 491, 491, true}});
  const std::vector<TimelineEntry> entries = TimelineOf(stimuli);
  ASSERT_THAT(entries, SizeIs(3));
  EXPECT_DOUBLE_EQ(*entries[0].iteration_rate, 10000);
  EXPECT_DOUBLE_EQ(*entries[1].iteration_rate, 1300);
  EXPECT_DOUBLE_EQ(*entries[2].iteration_rate, 910);
  EXPECT_FALSE(entries[0].change_pct.has_value());
  EXPECT_NEAR(*entries[1].change_pct, -87, 1e-9);
  // 30 % exactly is not notable.
  EXPECT_FALSE(entries[2].change_pct.has_value());
  EXPECT_EQ(entries[2].stimulus, &stimuli[2]);
}

TEST(TimelineTest, WhatIsNotKnownIsAbsent) {
  // Cut short, and a second scenario in the same test.
  const auto stimuli = Stimuli({{0, 5, 0}, {0, 7, 7, true}, {0, 0, 0}});
  const std::vector<TimelineEntry> entries = TimelineOf(stimuli);
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_FALSE(entries[0].iteration_rate.has_value());
  EXPECT_FALSE(entries[1].iteration_rate.has_value());
  // Counters that fell.
  EXPECT_FALSE(TimelineOf(Stimuli({{0, 5, 0}, {10, 0, 4}}))[0]
                   .iteration_rate.has_value());
}

}  // namespace
}  // namespace ktstr::results
