// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/placement/budget.h"

#include "gtest/gtest.h"

namespace ktstr::coordinator {
namespace {

constexpr BudgetInputs kPlain = {
    .duration = absl::Seconds(5), .vcpus = 4, .host_cpus = 8};

TEST(BudgetTest, DirectHost) {
  Budget budget = BudgetFor(kPlain);
  EXPECT_EQ(budget.boot, absl::Milliseconds(20400));
  EXPECT_EQ(budget.attach, absl::Seconds(10));
  EXPECT_EQ(budget.test, absl::Seconds(18));
}

TEST(BudgetTest, TotalCoversEveryPhase) {
  for (bool is_emulated : {false, true}) {
    for (int vcpus : {1, 4, 252}) {
      Budget budget = BudgetFor({.duration = absl::Seconds(2),
                                 .vcpus = vcpus,
                                 .host_cpus = 2,
                                 .is_emulated = is_emulated});
      EXPECT_GT(budget.total,
                budget.boot + budget.attach + budget.test + budget.shutdown);
    }
  }
}

TEST(BudgetTest, GrowsWithEachInput) {
  Budget plain = BudgetFor(kPlain);
  BudgetInputs longer = kPlain, wider = kPlain, crowded = kPlain, slow = kPlain;
  longer.duration = absl::Seconds(60);
  wider.vcpus = 8;
  crowded.host_cpus = 1;
  slow.is_emulated = true;
  EXPECT_GT(BudgetFor(longer).test, plain.test);
  EXPECT_GT(BudgetFor(wider).boot, plain.boot);
  EXPECT_GT(BudgetFor(crowded).test, plain.test);
  EXPECT_GT(BudgetFor(slow).total, 4 * plain.total);
}

TEST(BudgetTest, SlownessStaysInItsRange) {
  EXPECT_EQ(Slowness(false, 0), 1);
  EXPECT_EQ(Slowness(false, 5000), 1);
  EXPECT_EQ(Slowness(true, 5000), 6);
  EXPECT_EQ(Slowness(true, 20), 10);
  EXPECT_EQ(Slowness(false, 1e-9), 20);
  EXPECT_EQ(Slowness(true, -1), 6);
}

TEST(BudgetTest, NonsenseInputsGiveFiniteDeadlines) {
  Budget budget =
      BudgetFor({.duration = absl::ZeroDuration(), .vcpus = 0, .host_cpus = 0});
  EXPECT_GT(budget.total, absl::ZeroDuration());
  EXPECT_LT(budget.total, absl::Hours(1));
}

}  // namespace
}  // namespace ktstr::coordinator
