// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/work_type.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// As rt-app's own examples are written.
constexpr char kDescription[] = R"({
  /* Two tasks. */
  "global": {"duration": 5, "default_policy": "SCHED_OTHER"},
  "tasks": {
    "simple": {"loop": -1, "run": 2000, "timer": {"ref": "t", "period": 10000}},
    "phased": {
      "loop": -1,
      "phases": {
        "light": {"loop": 3, "run": 1000, "sleep": 4000},
        "heavy": {
          "run0": 7000, "timer0": {"ref": "a", "period": 16000},
          "run1": 100, "timer1": {"ref": "b", "period": 33000},
          "timer2": {"ref": "a", "period": 16000}
        }
      }
    }
  }
})";

const std::vector<Phase>& PhasesOf(const WorkType& type) {
  return std::get<std::vector<Phase>>(type.params);
}

TEST(RtAppTest, EventsOfATaskAreItsPhases) {
  ASSERT_OK_AND_ASSIGN(WorkType type,
                       WorkType::from_rt_app(kDescription, "simple"));
  EXPECT_EQ(type.name(), "Sequence");
  const std::vector<Phase>& phases = PhasesOf(type);
  ASSERT_THAT(phases, SizeIs(2));
  EXPECT_EQ(phases[0].kind, Phase::Kind::kRun);
  EXPECT_EQ(phases[0].time, 2ms);
  EXPECT_EQ(phases[1].kind, Phase::Kind::kTimer);
  EXPECT_EQ(phases[1].time, 10ms);
}

TEST(RtAppTest, PhasesAreLoopsInTheirOrder) {
  ASSERT_OK_AND_ASSIGN(WorkType type,
                       WorkType::from_rt_app(kDescription, "phased"));
  const std::vector<Phase>& phases = PhasesOf(type);
  ASSERT_THAT(phases, SizeIs(2));
  EXPECT_EQ(phases[0].kind, Phase::Kind::kLoop);
  EXPECT_EQ(phases[0].count, 3u);
  ASSERT_THAT(phases[0].phases, SizeIs(2));
  EXPECT_EQ(phases[0].phases[1].kind, Phase::Kind::kSleep);
  EXPECT_EQ(phases[0].phases[1].time, 4ms);
  EXPECT_EQ(phases[1].count, 1u);
  const std::vector<Phase>& heavy = phases[1].phases;
  ASSERT_THAT(heavy, SizeIs(5));
  EXPECT_EQ(heavy[2].time, 100us);
  // One timer for each name.
  EXPECT_EQ(heavy[1].id, heavy[4].id);
  EXPECT_NE(heavy[1].id, heavy[3].id);
}

TEST(RtAppTest, TheOnlyTaskNeedsNoName) {
  EXPECT_OK(WorkType::from_rt_app(R"({"tasks": {"t": {"run": 5}}})"));
  EXPECT_THAT(WorkType::from_rt_app(kDescription).status(),
              StatusIs(kInvalid, HasSubstr("the tasks [simple, phased]")));
  EXPECT_THAT(WorkType::from_rt_app(kDescription, "x").status(),
              StatusIs(kInvalid, HasSubstr("not \"x\"")));
}

TEST(RtAppTest, WhatIsNotUnderstoodIsNamedWithItsPlace) {
  auto refused = [](const char* task) {
    return WorkType::from_rt_app(
               absl::StrCat(R"({"tasks": {"t": )", task, "}}"))
        .status();
  };
  EXPECT_THAT(refused(R"({"run": 5, "lock": "m"})"),
              StatusIs(kInvalid, AllOf(HasSubstr("task \"t\" has \"lock\""),
                                       HasSubstr("run, sleep, timer"))));
  EXPECT_THAT(
      refused(R"({"phases": {"p": {"run": 5, "cpus": [0]}}})"),
      StatusIs(kInvalid, HasSubstr("task \"t\", phase \"p\" has \"cpus\"")));
  EXPECT_THAT(refused(R"({"priority": 3, "phases": {"p": {"run": 5}}})"),
              StatusIs(kInvalid, HasSubstr("\"priority\"")));
  EXPECT_THAT(refused(R"({"loop": 4, "run": 5})"),
              StatusIs(kInvalid, HasSubstr("loop 4; a worker repeats")));
  EXPECT_THAT(refused(R"({"run": -5})"),
              StatusIs(kInvalid, HasSubstr("\"run\": -5; a whole number")));
  EXPECT_THAT(refused(R"({"run": "5"})"), StatusIs(kInvalid));
  EXPECT_THAT(refused(R"({"run": 18446744073709551615})"), StatusIs(kInvalid));
  EXPECT_THAT(refused(R"({"timer": {"ref": "a"}})"),
              StatusIs(kInvalid, HasSubstr("without a period")));
  EXPECT_THAT(refused(R"({"timer": {"period": 5, "mode": "absolute"}})"),
              StatusIs(kInvalid, HasSubstr("ref and period are understood")));
  EXPECT_THAT(refused(R"({"phases": {"p": {"loop": 0, "run": 5}}})"),
              StatusIs(kInvalid, HasSubstr("\"loop\": 0")));
  EXPECT_THAT(refused(R"({"phases": {"p": {}}})"),
              StatusIs(kInvalid, HasSubstr("does nothing")));
  EXPECT_THAT(refused("{}"), StatusIs(kInvalid));
  EXPECT_THAT(refused("3"), StatusIs(kInvalid, HasSubstr("is no object")));
}

TEST(RtAppTest, WhatIsNoDescriptionIsRefused) {
  for (const char* text : {"", "{", "[]", "{}", R"({"tasks": []})", "\xff"}) {
    EXPECT_THAT(WorkType::from_rt_app(text).status(),
                StatusIs(kInvalid, HasSubstr("no JSON object with")))
        << text;
  }
}

}  // namespace
}  // namespace ktstr
