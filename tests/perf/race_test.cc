// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/perf/race.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"

namespace ktstr::perf {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;

TEST(RaceTest, EachRoundBeginsWithAnotherAndTheFirstIsNotCounted) {
  std::string order;
  double clock = 0;
  auto racer = [&](const char* name) {
    return Racer{.name = name,
                 .run = [&order, &clock, name]() -> absl::StatusOr<double> {
                   order += name;
                   return ++clock;
                 }};
  };
  std::vector<Racer> racers = {racer("a"), racer("b"), racer("c")};
  ASSERT_OK(TakeTurns(2, racers));
  EXPECT_EQ(order, "abcbcacab");
  EXPECT_THAT(racers[0].ms, ElementsAre(6, 8));
  EXPECT_THAT(racers[1].ms, ElementsAre(4, 9));
  EXPECT_THAT(racers[2].ms, ElementsAre(5, 7));
}

TEST(RaceTest, WhoCannotRunEndsTheRace) {
  std::vector<Racer> racers = {
      {.name = "a", .run = []() -> absl::StatusOr<double> {
         return absl::UnavailableError("gone");
       }}};
  EXPECT_THAT(TakeTurns(5, racers),
              StatusIs(absl::StatusCode::kUnavailable, "gone"));
}

}  // namespace
}  // namespace ktstr::perf
