// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "coordinator/placement/fair_policy.h"

#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rapidcheck/gtest.h"

namespace ktstr::coordinator {
namespace {

HostView MakeHost(std::string id, int cpus, int free) {
  return {.host_id = std::move(id),
          .cpus = cpus,
          .free_cpus = free,
          .memory_mib = 8192,
          .free_memory_mib = 8192,
          .can_take = true};
}

Waiting MakeWaiting(int64_t run, int64_t index, int cpus) {
  return {.run = run, .index = index, .cpus = cpus, .memory_mib = 256};
}

std::map<std::string, int> PerHost(const std::vector<Assignment>& assignments,
                                   const std::vector<HostView>& hosts) {
  std::map<std::string, int> count;
  for (const Assignment& each : assignments) ++count[hosts[each.host].host_id];
  return count;
}

TEST(FairPolicyTest, SpreadsOverHosts) {
  std::vector<HostView> hosts = {MakeHost("a", 16, 16), MakeHost("b", 16, 16)};
  std::vector<Waiting> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(MakeWaiting(0, i, 4));
  auto count = PerHost(FairPolicy().Place(waiting, hosts), hosts);
  EXPECT_EQ(count["a"], 2);
  EXPECT_EQ(count["b"], 2);
}

TEST(FairPolicyTest, WideVariantTakesAWholeHost) {
  std::vector<HostView> hosts = {MakeHost("a", 2, 2)};
  std::vector<Waiting> waiting = {MakeWaiting(0, 0, 252), MakeWaiting(0, 1, 1)};
  std::vector<Assignment> assignments = FairPolicy().Place(waiting, hosts);
  ASSERT_EQ(assignments.size(), 1);
  EXPECT_EQ(assignments[0].waiting, 0);
  hosts[0].free_cpus = 1;
  assignments = FairPolicy().Place(waiting, hosts);
  ASSERT_EQ(assignments.size(), 1);
  EXPECT_EQ(assignments[0].waiting, 1);
}

TEST(FairPolicyTest, MemoryBounds) {
  std::vector<HostView> hosts = {MakeHost("a", 64, 64)};
  hosts[0].memory_mib = 1000;
  hosts[0].free_memory_mib = 1000;
  std::vector<Waiting> waiting;
  for (int i = 0; i < 8; ++i) waiting.push_back(MakeWaiting(0, i, 1));
  EXPECT_EQ(FairPolicy().Place(waiting, hosts).size(), 3);
}

TEST(FairPolicyTest, RunsTakeTurns) {
  std::vector<HostView> hosts = {MakeHost("a", 4, 4)};
  std::vector<Waiting> waiting;
  for (int i = 0; i < 4; ++i) waiting.push_back(MakeWaiting(0, i, 1));
  for (int i = 0; i < 4; ++i) waiting.push_back(MakeWaiting(1, i, 1));
  std::map<int64_t, int> per_run;
  for (const Assignment& each : FairPolicy().Place(waiting, hosts)) {
    ++per_run[waiting[each.waiting].run];
  }
  EXPECT_EQ(per_run[0], 2);
  EXPECT_EQ(per_run[1], 2);
}

TEST(FairPolicyTest, AvoidsHostsOfEarlierMissesWhileThereIsAnother) {
  std::vector<HostView> hosts = {MakeHost("a", 8, 8), MakeHost("b", 8, 8)};
  std::vector<Waiting> waiting = {MakeWaiting(0, 0, 4)};
  waiting[0].avoid = {"a"};
  std::vector<Assignment> assignments = FairPolicy().Place(waiting, hosts);
  ASSERT_EQ(assignments.size(), 1);
  EXPECT_EQ(hosts[assignments[0].host].host_id, "b");
  hosts[1].can_take = false;
  EXPECT_TRUE(FairPolicy().Place(waiting, hosts).empty());
  waiting[0].avoid = {"a", "b"};
  EXPECT_EQ(FairPolicy().Place(waiting, hosts).size(), 1);
  hosts.pop_back();
  waiting[0].avoid = {"a"};
  EXPECT_EQ(FairPolicy().Place(waiting, hosts).size(), 1);
}

RC_GTEST_PROP(FairPolicyPropertyTest, NeverOverfillsAndNeverRepeats, ()) {
  std::vector<HostView> hosts;
  for (int i = 0, n = *rc::gen::inRange(1, 5); i < n; ++i) {
    int cpus = *rc::gen::inRange(1, 65);
    hosts.push_back(
        MakeHost(std::to_string(i), cpus, *rc::gen::inRange(0, cpus + 1)));
    hosts.back().can_take = *rc::gen::arbitrary<bool>();
  }
  std::vector<Waiting> waiting;
  for (int i = 0, n = *rc::gen::inRange(0, 40); i < n; ++i) {
    waiting.push_back(MakeWaiting(i % 3, i, *rc::gen::inRange(1, 300)));
  }
  std::set<size_t> seen;
  for (const Assignment& each : FairPolicy().Place(waiting, hosts)) {
    RC_ASSERT(seen.insert(each.waiting).second);
    HostView& host = hosts[each.host];
    RC_ASSERT(host.can_take);
    host.free_cpus -= CpusTaken(waiting[each.waiting].cpus, host.cpus);
    host.free_memory_mib -=
        MemoryTaken(waiting[each.waiting].memory_mib, host.memory_mib);
    RC_ASSERT(host.free_cpus >= 0);
    RC_ASSERT(host.free_memory_mib >= 0);
  }
}

}  // namespace
}  // namespace ktstr::coordinator
