// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/cpu_set.h"

#include <cmath>

#include "base/cpu_list.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/topology.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

GuestTopology Machine(const char* text) {
  return GuestTopology::FromDeclared(*Topology::Parse(text));
}

auto Invalid(const std::string& text) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(text));
}

TEST(CpuSetTest, DisjointGivesTheRestToTheLastPart) {
  GuestTopology eight = Machine("1n2l4c1t");
  EXPECT_THAT(CpuSet::disjoint(0, 2).Resolve(eight),
              IsOkAndHolds(ElementsAre(0, 1, 2)));
  EXPECT_THAT(CpuSet::disjoint(1, 2).Resolve(eight),
              IsOkAndHolds(ElementsAre(3, 4, 5, 6)));
  GuestTopology four = Machine("1n1l4c1t");
  EXPECT_THAT(CpuSet::disjoint(0, 2).Resolve(four),
              IsOkAndHolds(ElementsAre(0)));
  EXPECT_THAT(CpuSet::disjoint(1, 2).Resolve(four),
              IsOkAndHolds(ElementsAre(1, 2)));
}

TEST(CpuSetTest, OverlapReachesIntoBothNeighbours) {
  GuestTopology eight = Machine("1n2l4c1t");
  EXPECT_THAT(CpuSet::overlap(0, 2, 0.5).Resolve(eight),
              IsOkAndHolds(ElementsAre(0, 1, 2, 3)));
  EXPECT_THAT(CpuSet::overlap(1, 2, 0.5).Resolve(eight),
              IsOkAndHolds(ElementsAre(2, 3, 4, 5, 6)));
  EXPECT_THAT(CpuSet::overlap(1, 3, 0.5).Resolve(eight),
              IsOkAndHolds(ElementsAre(1, 2, 3, 4)));
}

TEST(CpuSetTest, RangeTruncatesBothEnds) {
  GuestTopology eight = Machine("1n2l4c1t");
  EXPECT_THAT(CpuSet::range(0, 0.25).Resolve(eight),
              IsOkAndHolds(ElementsAre(0)));
  EXPECT_THAT(CpuSet::range(0.25, 1).Resolve(eight),
              IsOkAndHolds(ElementsAre(1, 2, 3, 4, 5, 6)));
  EXPECT_THAT(CpuSet::range(0.75, 1).Resolve(eight),
              IsOkAndHolds(ElementsAre(5, 6)));
}

// Worked out by hand: T CPUs are L usable ones, the last left out from T = 3
// on; c = L / of, o = trunc(c * f).
TEST(CpuSetTest, ArithmeticByHand) {
  const struct {
    const char* machine;
    CpuSet set;
    const char* cpus;
  } kCases[] = {
      // L = 1, 2, 2.
      {"1n1l1c1t", CpuSet::disjoint(0, 1), "0"},
      {"1n1l1c1t", CpuSet::range(0, 1), "0"},
      {"1n1l2c1t", CpuSet::disjoint(0, 2), "0"},
      {"1n1l2c1t", CpuSet::disjoint(1, 2), "1"},
      {"1n1l2c1t", CpuSet::range(0.5, 1), "1"},
      {"1n1l3c1t", CpuSet::disjoint(1, 2), "1"},
      {"1n1l3c1t", CpuSet::range(0, 1), "0-1"},
      {"1n1l3c1t", CpuSet::llc(0), "0-2"},
      {"1n1l3c1t", CpuSet::exact({2}), "2"},
      // L = 7: c = 2 of 3, 1 of 7.
      {"1n2l4c1t", CpuSet::disjoint(0, 1), "0-6"},
      {"1n2l4c1t", CpuSet::disjoint(2, 3), "4-6"},
      {"1n2l4c1t", CpuSet::disjoint(0, 7), "0"},
      {"1n2l4c1t", CpuSet::disjoint(6, 7), "6"},
      // Nothing and everything in common; c = 3, 3, 2, 2.
      {"1n2l4c1t", CpuSet::overlap(0, 2, 0), "0-2"},
      {"1n2l4c1t", CpuSet::overlap(1, 2, 0), "3-6"},
      {"1n2l4c1t", CpuSet::overlap(0, 2, 1), "0-5"},
      {"1n2l4c1t", CpuSet::overlap(1, 2, 1), "0-6"},
      {"1n2l4c1t", CpuSet::overlap(1, 3, 1), "0-5"},
      {"1n2l4c1t", CpuSet::overlap(2, 3, 0.5), "3-6"},
      {"1n2l4c1t", CpuSet::overlap(0, 1, 1), "0-6"},
      {"1n2l4c1t", CpuSet::overlap(0, 3, 0.99), "0-2"},  // o = trunc(1.98)
      {"1n2l4c1t", CpuSet::range(0.5, 1), "3-6"},        // trunc(3.5)
      {"1n2l4c1t", CpuSet::range(0.99, 1), "6"},         // trunc(6.93)
      {"1n2l4c1t", CpuSet::range(0, 0.43), "0-2"},       // trunc(3.01)
      // L = 11: c = 3, the rest to the last; o = trunc(1.5).
      {"1n3l4c1t", CpuSet::disjoint(2, 3), "6-10"},
      {"1n3l4c1t", CpuSet::overlap(1, 3, 0.5), "2-6"},
      {"1n3l4c1t", CpuSet::overlap(2, 3, 0.5), "5-10"},
  };
  for (const auto& c : kCases) {
    absl::StatusOr<std::vector<int>> cpus = c.set.Resolve(Machine(c.machine));
    ASSERT_OK(cpus) << c.machine << " " << c.set.ToString();
    EXPECT_EQ(FormatCpuList(*cpus), c.cpus)
        << c.machine << " " << c.set.ToString();
  }
}

TEST(CpuSetTest, RefusesASetThatWouldBeEmpty) {
  EXPECT_THAT(CpuSet::range(0, 0.14).Resolve(Machine("1n2l4c1t")),
              Invalid("resolves to no CPU"));  // trunc(0.98)
  EXPECT_THAT(CpuSet::range(0, 0.25).Resolve(Machine("1n1l4c1t")),
              Invalid("resolves to no CPU"));
  EXPECT_THAT(CpuSet::exact({}).Resolve(Machine("1n1l4c1t")),
              Invalid("resolves to no CPU"));
}

TEST(CpuSetTest, LlcAndNumaIncludeTheReservedCpu) {
  GuestTopology machine = Machine("2n4l2c1t");
  EXPECT_THAT(CpuSet::llc(3).Resolve(machine), IsOkAndHolds(ElementsAre(6, 7)));
  EXPECT_THAT(CpuSet::numa(1).Resolve(machine),
              IsOkAndHolds(ElementsAre(4, 5, 6, 7)));
  EXPECT_THAT(CpuSet::llc(4).Resolve(machine), Invalid("LLCs 0 to 3"));
  EXPECT_THAT(CpuSet::llc(-1).Resolve(machine), Invalid("llc(-1)"));
  EXPECT_THAT(CpuSet::numa(2).Resolve(machine), Invalid("no NUMA node 2"));
}

TEST(CpuSetTest, ExactMaySayTheReservedCpuButNoForeignOne) {
  GuestTopology machine = Machine("1n1l4c1t");
  EXPECT_THAT(CpuSet::exact({3, 1, 3}).Resolve(machine),
              IsOkAndHolds(ElementsAre(1, 3)));
  EXPECT_THAT(CpuSet::exact({4}).Resolve(machine), Invalid("CPU 4"));
}

TEST(CpuSetTest, RefusesSharesThatDoNotExist) {
  GuestTopology machine = Machine("1n1l4c1t");
  EXPECT_THAT(CpuSet::disjoint(0, 0).Resolve(machine), Invalid("must be > 0"));
  EXPECT_THAT(CpuSet::disjoint(2, 2).Resolve(machine), Invalid("part 2"));
  EXPECT_THAT(CpuSet::disjoint(0, 4).Resolve(machine),
              Invalid("3 usable CPUs"));
  EXPECT_THAT(CpuSet::overlap(0, 2, 1.5).Resolve(machine),
              Invalid("between 0 and 1"));
  EXPECT_THAT(CpuSet::overlap(0, 2, std::nan("")).Resolve(machine),
              Invalid("between 0 and 1"));
  EXPECT_THAT(CpuSet::range(0.5, 0.5).Resolve(machine), Invalid("begin < end"));
  EXPECT_THAT(CpuSet::range(std::nan(""), 1).Resolve(machine),
              Invalid("begin < end"));
}

}  // namespace
}  // namespace ktstr
