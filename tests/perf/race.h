// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_PERF_RACE_H_
#define KTSTR_TESTS_PERF_RACE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ktstr::perf {

// One of those that are compared.
struct Racer {
  // As figures call it.
  std::string name;
  // Runs once and says how many milliseconds it took.
  std::function<absl::StatusOr<double>()> run;
  // One time a round, the same round at the same index for every racer.
  std::vector<double> ms = {};
};

// Fills in the times of `rounds` rounds. The racers take turns and each round
// begins with another one, so that whatever else the machine does meets all of
// them; a round before the first warms caches and is not counted. Before each
// run the memory that it will be given is written once: an emulated host takes
// ten times as long for the first write to memory in which a guest ran code
// before (it drops what it translated), no other host does, and whoever came
// after the larger guest would pay for it.
//
// Errors: the first of a racer.
absl::Status TakeTurns(int rounds, std::vector<Racer>& racers);

// Prints the ratio of medians, ours to theirs, as one line of `make perf`; the
// place it was measured at is $KTSTR_WHERE.
// REQUIRES: both have run.
void PrintRatio(const std::string& figure, const Racer& ours,
                const Racer& theirs);

}  // namespace ktstr::perf

#endif  // KTSTR_TESTS_PERF_RACE_H_
