// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/performance_plan.h"

#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"

namespace ktstr::hostd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// As Linux numbers them: first threads of all cores, then their siblings.
std::vector<HostCpu> Host(int nodes, int llcs, int cores, int threads) {
  std::vector<HostCpu> host;
  const int all_cores = llcs * cores;
  for (int thread = 0; thread < threads; ++thread) {
    for (int core = 0; core < all_cores; ++core) {
      const int llc = core / cores;
      host.push_back({.cpu = thread * all_cores + core,
                      .core = core,
                      .llc = llc * cores,
                      .node = llc * nodes / llcs});
    }
  }
  return host;
}

Topology Guest(int nodes, int llcs, int cores, int threads) {
  auto topology = Topology::Create(nodes, llcs, cores, threads);
  EXPECT_OK(topology);
  return *topology;
}

TEST(PerformancePlanTest, GuestThreadsAreHostSiblings) {
  auto plan = PlanPerformance(Guest(1, 1, 2, 2), Host(1, 1, 4, 2));
  ASSERT_OK(plan);
  EXPECT_THAT(plan->vcpu_cpus, ElementsAre(0, 4, 1, 5));
  EXPECT_EQ(plan->service_cpu, 2);
  EXPECT_THAT(plan->memory_nodes, ElementsAre(0));
}

TEST(PerformancePlanTest, GuestWithoutSmtLeavesTheSiblingsEmpty) {
  auto plan = PlanPerformance(Guest(1, 1, 3, 1), Host(1, 1, 4, 2));
  ASSERT_OK(plan);
  EXPECT_THAT(plan->vcpu_cpus, ElementsAre(0, 1, 2));
  EXPECT_EQ(plan->service_cpu, 3);
}

TEST(PerformancePlanTest, EveryGuestLlcHasAHostLlc) {
  auto plan = PlanPerformance(Guest(1, 2, 2, 1), Host(1, 3, 3, 1));
  ASSERT_OK(plan);
  EXPECT_THAT(plan->vcpu_cpus, ElementsAre(0, 1, 3, 4));
  EXPECT_EQ(plan->service_cpu, 2);
}

TEST(PerformancePlanTest, GuestNodesFollowHostNodes) {
  auto plan = PlanPerformance(Guest(2, 2, 1, 1), Host(2, 4, 2, 1));
  ASSERT_OK(plan);
  EXPECT_THAT(plan->vcpu_cpus, ElementsAre(0, 4));
  EXPECT_THAT(plan->memory_nodes, ElementsAre(0, 1));
}

TEST(PerformancePlanTest, NodeTooSmallForAGuestNodeIsPassedOver) {
  // Node 0 has a CPU of one core and one LLC, node 1 two LLCs.
  std::vector<HostCpu> host = {{.cpu = 0, .core = 0, .llc = 0, .node = 0},
                               {.cpu = 1, .core = 1, .llc = 1, .node = 1},
                               {.cpu = 2, .core = 2, .llc = 2, .node = 1}};
  auto plan = PlanPerformance(Guest(1, 2, 1, 1), host);
  ASSERT_OK(plan);
  EXPECT_THAT(plan->vcpu_cpus, ElementsAre(1, 2));
  EXPECT_EQ(plan->service_cpu, 0);
  EXPECT_THAT(plan->memory_nodes, ElementsAre(1));
}

TEST(PerformancePlanTest, MoreGuestNodesThanHostNodesAreBoundToNone) {
  auto plan = PlanPerformance(Guest(2, 2, 1, 1), Host(1, 2, 2, 1));
  ASSERT_OK(plan);
  EXPECT_THAT(plan->vcpu_cpus, ElementsAre(0, 2));
  EXPECT_THAT(plan->memory_nodes, IsEmpty());
}

TEST(PerformancePlanTest, SaysWhatIsMissing) {
  EXPECT_THAT(
      PlanPerformance(Guest(1, 2, 2, 2), Host(1, 2, 4, 1)),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               HasSubstr("2 host LLCs are needed, each with 2 cores of at "
                         "least 2 threads; this host has 0 such of 2")));
  EXPECT_THAT(PlanPerformance(Guest(1, 2, 2, 1), Host(1, 1, 8, 1)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("this host has 1 such of 1")));
  // The sibling of a busy thread is no CPU to serve a guest from.
  EXPECT_THAT(PlanPerformance(Guest(1, 1, 1, 1), Host(1, 1, 1, 2)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("one host core beside the 1 of the guest")));
}

TEST(PerformancePlanTest, PlansAreWhatVmmAccepts) {
  for (const Topology& guest :
       {Guest(1, 1, 1, 1), Guest(1, 2, 4, 2), Guest(2, 4, 2, 1)}) {
    auto plan = PlanPerformance(guest, Host(2, 8, 8, 2));
    ASSERT_OK(plan);
    EXPECT_OK(CheckPerformanceSpec(*plan, guest.cpus(), guest.nodes()));
  }
}

}  // namespace
}  // namespace ktstr::hostd
