// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the fleet must make of each test of tests/guest/fixture.cc.
#ifndef KTSTR_TESTS_E2E_FIXTURE_EXPECTATIONS_H_
#define KTSTR_TESTS_E2E_FIXTURE_EXPECTATIONS_H_

#include <cstddef>
#include <iosfwd>
#include <string>
#include <vector>

#include "tests/e2e/fleet.h"

namespace ktstr::e2e {

struct FixtureExpectation {
  std::string test;
  std::string outcome;
  // Regular expressions. The kind of one finding; empty: there is none at all.
  std::string finding;
  // Why the scheduler is gone, as the kernel says; empty: it says nothing.
  std::string exit;
  // Why; and what the scheduler said, which names the task or the rule where
  // the kernel does.
  std::string reason;
  std::string log;
  // On the presets of FixtureArgs().
  size_t variants = 1;
};

// For messages of the test framework.
void PrintTo(const FixtureExpectation& expected, std::ostream* out);

// One for each test of the suite.
const std::vector<FixtureExpectation>& FixtureExpectations();

// Arguments of a `ktstrctl submit` of the suite.
std::vector<std::string> FixtureArgs();

// Fails the current test for everything that is not as it must be.
void ExpectAsFixture(const FixtureExpectation& expected,
                     const VariantResult& result);

}  // namespace ktstr::e2e

#endif  // KTSTR_TESTS_E2E_FIXTURE_EXPECTATIONS_H_
