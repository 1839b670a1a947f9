// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "model/machine_topology.h"

#include <functional>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Topology T(const char* text) { return *Topology::Parse(text); }

// Three LLCs on node 0, one on node 1, node 2 has memory only.
MachineDetails Uneven() {
  return {.nodes = {{.llcs = 3, .memory_mib = 512},
                    {.llcs = 1, .memory_mib = 256},
                    {.llcs = 0, .memory_mib = 128}}};
}
constexpr int64_t kUnevenMib = 896;

TEST(MachineTopologyTest, DefaultIsTheDefaultTopology) {
  MachineTopology machine;
  EXPECT_EQ(machine, *MachineTopology::Create(Topology(), 256));
  EXPECT_EQ(machine.node_count(), 1);
  EXPECT_FALSE(machine.has_memory_attributes());
}

TEST(MachineTopologyTest, UniformNodesShareLlcsAndMemory) {
  ASSERT_OK_AND_ASSIGN(auto machine,
                       MachineTopology::Create(T("3n4l2c1t"), 100));
  ASSERT_EQ(machine.node_count(), 3);
  for (int cpu = 0; cpu < machine.cpus(); ++cpu) {
    EXPECT_EQ(machine.PlaceOf(cpu).node, T("3n4l2c1t").PlaceOf(cpu).node);
  }
  EXPECT_EQ(machine.nodes()[0].memory_mib, 33);
  EXPECT_EQ(machine.nodes()[2].memory_mib, 34);
  EXPECT_EQ(machine.Distance(1, 1), 10);
  EXPECT_EQ(machine.Distance(1, 2), 20);
}

TEST(MachineTopologyTest, ListedNodesTakeLlcsInOrder) {
  ASSERT_OK_AND_ASSIGN(auto machine, MachineTopology::Create(
                                         T("2n4l2c1t"), kUnevenMib, Uneven()));
  EXPECT_THAT(machine.CpusOfNode(0), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(machine.CpusOfNode(1), ElementsAre(6, 7));
  EXPECT_THAT(machine.CpusOfNode(2), ElementsAre());
  EXPECT_EQ(machine.cpu_nodes(), 2);
  EXPECT_EQ(machine.NearestCpuNode(2), 0);
}

TEST(MachineTopologyTest, AttributesFollowDistance) {
  MachineDetails details = Uneven();
  details.distances = {{10, 17, 40}, {17, 10, 28}, {40, 28, 10}};
  details.nodes[1].latency_ns = 81;
  details.nodes[2].bandwidth_mbps = 9001;
  ASSERT_OK_AND_ASSIGN(auto machine, MachineTopology::Create(
                                         T("2n4l2c1t"), kUnevenMib, details));
  EXPECT_EQ(machine.NearestCpuNode(2), 1);
  EXPECT_EQ(machine.LatencyNs(0, 0), 100);
  EXPECT_EQ(machine.LatencyNs(1, 0), 170);
  EXPECT_EQ(machine.LatencyNs(1, 1), 81);
  EXPECT_EQ(machine.LatencyNs(0, 1), 137);
  EXPECT_EQ(machine.LatencyNs(1, 2), 840);
  EXPECT_EQ(machine.BandwidthMbps(0, 0), 51200);
  EXPECT_EQ(machine.BandwidthMbps(1, 0), 30117);
  EXPECT_EQ(machine.BandwidthMbps(1, 2), 9001);
  EXPECT_EQ(machine.BandwidthMbps(0, 2), 6300);
}

TEST(MachineTopologyTest, DeclaredMatricesAreTakenAsTheyAre) {
  MachineDetails details = Uneven();
  details.latency_ns = {{71, 142, 333}, {143, 72, 334}};
  details.bandwidth_mbps = {{120000, 64000, 100}, {64000, 120000, 200}};
  ASSERT_OK_AND_ASSIGN(auto machine, MachineTopology::Create(
                                         T("2n4l2c1t"), kUnevenMib, details));
  EXPECT_EQ(machine.LatencyNs(1, 0), 143);
  EXPECT_EQ(machine.LatencyNs(0, 2), 333);
  EXPECT_EQ(machine.bandwidth_unit_mbps(), 10);
  EXPECT_EQ(machine.BandwidthMbps(0, 0), 120000);
  EXPECT_EQ(machine.BandwidthMbps(1, 2), 200);
}

TEST(MachineTopologyTest, UndeclaredNodesHaveNoAttributes) {
  ASSERT_OK_AND_ASSIGN(auto uniform,
                       MachineTopology::Create(T("2n4l2c1t"), 512));
  EXPECT_FALSE(uniform.has_memory_attributes());
  ASSERT_OK_AND_ASSIGN(
      auto far,
      MachineTopology::Create(
          T("1n1l2c1t"), 512,
          {.nodes = {{.llcs = 1, .memory_mib = 256}, {.memory_mib = 256}}}));
  EXPECT_TRUE(far.has_memory_attributes()) << "memory-only node";
}

TEST(MachineTopologyTest, OneNodeHasAttributesOnlyWhenDeclared) {
  MachineDetails details = {.nodes = {{.llcs = 1, .memory_mib = 256}}};
  details.nodes[0].memory_side_cache = MemorySideCache{.size_mib = 16};
  ASSERT_OK_AND_ASSIGN(auto machine,
                       MachineTopology::Create(T("1n1l1c1t"), 256, details));
  EXPECT_TRUE(machine.has_memory_attributes());
}

struct BadCase {
  const char* message;
  std::function<void(MachineDetails&)> spoil;
};

TEST(MachineTopologyTest, EachBrokenRuleIsOneClearSentence) {
  const BadCase cases[] = {
      {"node 1 has LLCs and node 0 has none",
       [](auto& d) { std::swap(d.nodes[0], d.nodes[2]); }},
      {"nodes have 3 LLCs together, topology 2n4l2c1t has 4",
       [](auto& d) { d.nodes[0].llcs = 2; }},
      {"1 nodes with LLCs are listed, topology 2n4l2c1t has 2",
       [](auto& d) { d.nodes.erase(d.nodes.begin()); }},
      {"adds up to 895 MiB, it has 896",
       [](auto& d) { d.nodes[0].memory_mib = 511; }},
      {"MiB of memory, accepted are 1 to 4194304",
       [](auto& d) { d.nodes[0].memory_mib = INT64_MAX; }},
      {"node 1 has 0 MiB", [](auto& d) { d.nodes[1].memory_mib = 0; }},
      {"node 0 has -1 LLCs", [](auto& d) { d.nodes[0].llcs = -1; }},
      {"65 nodes are listed, accepted are at most 64",
       [](auto& d) { d.nodes.resize(65); }},
      {"distances have 1 rows; needed are 3",
       [](auto& d) { d.distances = {{10}}; }},
      {"distances have 2 values in row 1",
       [](auto& d) {
         d.distances = {{10, 20, 20}, {20, 10}, {20, 20, 10}};
       }},
      {"node 1 to itself is 11, it must be 10",
       [](auto& d) {
         d.distances = {{10, 20, 20}, {20, 11, 20}, {20, 20, 10}};
       }},
      {"from node 0 to node 2 is 10, accepted are 11 to 254",
       [](auto& d) {
         d.distances = {{10, 20, 10}, {20, 10, 20}, {10, 20, 10}};
       }},
      {"from node 0 to node 1 is 20 and back 21",
       [](auto& d) {
         d.distances = {{10, 20, 20}, {21, 10, 20}, {20, 20, 10}};
       }},
      {"latency_ns has 3 rows; needed are 2",
       [](auto& d) {
         d.latency_ns = {{1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
       }},
      {"latency_ns has 2 values in row 0; needed are 3",
       [](auto& d) {
         d.latency_ns = {{1, 1}, {1, 1}};
       }},
      {"latency_ns from node 1 to node 2 is 65535, accepted are 1 to 65534",
       [](auto& d) {
         d.latency_ns = {{1, 1, 1}, {1, 1, 65535}};
       }},
      {"bandwidth_mbps from node 0 to node 0 is 0",
       [](auto& d) {
         d.bandwidth_mbps = {{0, 1, 1}, {1, 1, 1}};
       }},
      {"a bandwidth of 7 MB/s cannot be told beside one of 70000: all must be "
       "multiples of 10",
       [](auto& d) {
         d.bandwidth_mbps = {{70000, 7, 7}, {7, 7, 7}};
       }},
      {"node 0 has a latency of 0 ns",
       [](auto& d) { d.nodes[0].latency_ns = 0; }},
      {"the latency from node 1 to node 0 would be 120000 ns",
       [](auto& d) { d.nodes[0].latency_ns = 60000; }},
      {"memory-side cache of node 2 has 0 MiB",
       [](auto& d) { d.nodes[2].memory_side_cache.emplace(); }},
      {"cache l2 of 512 KiB is no whole number of sets of 7 ways of 64 bytes",
       [](auto& d) { d.caches.l2.ways = 7; }},
      {"the line of cache l1i is 48 bytes, accepted are 32, 64 and 128",
       [](auto& d) { d.caches.l1i.line_bytes = 48; }},
      {"cache l3 has 0 KiB", [](auto& d) { d.caches.l3.size_kib = 0; }},
      {"cache l1d has 0 ways", [](auto& d) { d.caches.l1d.ways = 0; }},
  };
  for (const BadCase& bad : cases) {
    MachineDetails details = Uneven();
    bad.spoil(details);
    EXPECT_THAT(
        MachineTopology::Create(T("2n4l2c1t"), kUnevenMib, details),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad.message)));
  }
}

}  // namespace
}  // namespace ktstr
