// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// One scheduler's end must leave nothing behind for the next: the tests of the
// fixture again and again, in an order that differs each time, on hosts that
// live on.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fixture_expectations.h"
#include "tests/e2e/fleet.h"
#include "tests/e2e/fleet_processes.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;

// Set by whoever starts tests/e2e/run.sh:
//   KTSTR_E2E_MIXED_RUNS  how many attempts at least
//   KTSTR_E2E_MIXED_SEED  decides the order
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

// Expectations of the current test that did not hold so far.
int FailedParts() {
  return ::testing::UnitTest::GetInstance()
      ->current_test_info()
      ->result()
      ->total_part_count();
}

TEST(MixedOrderTest, NoOutcomeDependsOnWhatRanBefore) {
  const uint64_t wanted = FromEnvironment("KTSTR_E2E_MIXED_RUNS", 20);
  const uint64_t seed =
      FromEnvironment("KTSTR_E2E_MIXED_SEED", std::random_device()());
  printf("mixed order: %s attempts, seed %s\n", absl::StrCat(wanted).c_str(),
         absl::StrCat(seed).c_str());
  fflush(stdout);
  std::mt19937_64 random(seed);
  FleetProcesses fleet;
  ASSERT_OK(fleet.StartCoordinator());
  Running host = fleet.StartHost("a");

  std::map<std::string, int> outcomes;
  size_t attempts = 0;
  size_t misclassified = 0;
  // Attempts that missed, as on a machine too busy for a host to report.
  size_t retries = 0;
  std::vector<FixtureExpectation> order;
  while (attempts < wanted) {
    if (order.empty()) {
      order = FixtureExpectations();
      std::shuffle(order.begin(), order.end(), random);
    }
    const FixtureExpectation expected = order.back();
    order.pop_back();
    std::vector<std::string> args = FixtureArgs();
    args.insert(args.end(),
                {"--coordinator", fleet.address(), "--filter", expected.test});
    const SubmitRun run = Submit(args);
    ASSERT_THAT(run.results, SizeIs(expected.variants)) << run.out << run.err;
    for (const VariantResult& result : run.results) {
      // Of this result alone.
      const int failures_before = FailedParts();
      ExpectAsFixture(expected, result);
      retries += result.missed.size();
      if (FailedParts() != failures_before) ++misclassified;
      ++outcomes[result.outcome];
      ++attempts;
    }
  }
  std::string counts;
  for (const auto& [outcome, count] : outcomes) {
    absl::StrAppend(&counts, ", ", count, " ", outcome);
  }
  printf("mixed order: %zu attempts%s, %zu misclassified; %zu missed before\n",
         attempts, counts.c_str(), misclassified, retries);
}

}  // namespace
}  // namespace ktstr::e2e
