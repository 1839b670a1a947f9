// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/topology.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class TopologyTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("topology"));
    root_ = std::make_unique<TempDir>(std::move(dir));
  }

  void Write(const std::string& file, const std::string& text) {
    std::string path = JoinPath(root_->path(), file);
    ASSERT_OK(MakeDirs(std::string(Dirname(path))));
    ASSERT_OK(WriteFileAtomically(path, text + "\n"));
  }

  void WriteCpu(int cpu, int core, const std::string& id,
                const std::string& sharing) {
    std::string dir = absl::StrCat("cpu/cpu", cpu, "/");
    Write(dir + "topology/core_id", absl::StrCat(core));
    Write(dir + "cache/index0/level", "1");
    Write(dir + "cache/index0/shared_cpu_list", absl::StrCat(cpu));
    Write(dir + "cache/index3/level", "3");
    Write(dir + "cache/index3/shared_cpu_list", sharing);
    Write(dir + "cache/index3/size", "16384K");
    if (!id.empty()) Write(dir + "cache/index3/id", id);
  }

  absl::StatusOr<GuestTopology> Read() {
    return GuestTopology::Read(root_->path());
  }

  std::unique_ptr<TempDir> root_;
};

TEST_F(TopologyTreeTest, ReadsTwoLlcsWithSiblings) {
  Write("cpu/online", "0-7");
  for (int cpu = 0; cpu < 8; ++cpu) {
    WriteCpu(cpu, cpu / 2, cpu < 4 ? "0" : "1", cpu < 4 ? "0-3" : "4-7");
  }
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_EQ(machine.total_cpus(), 8);
  EXPECT_EQ(machine.num_llcs(), 2);
  EXPECT_EQ(machine.num_nodes(), 1);
  EXPECT_THAT(machine.cpus_in_llc(1), ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(machine.llcs()[1].cache_kib, 16384);
  EXPECT_THAT(machine.llcs()[1].cores, ElementsAre(Pair(2, ElementsAre(4, 5)),
                                                   Pair(3, ElementsAre(6, 7))));
  EXPECT_THAT(machine.usable_cpus(), ElementsAre(0, 1, 2, 3, 4, 5, 6));
}

// Without ids the lowest sharing CPU stands in, so order is CPU order.
TEST_F(TopologyTreeTest, FallsBackToTheLowestSharingCpuAsId) {
  Write("cpu/online", "0-3");
  for (int cpu = 0; cpu < 4; ++cpu) {
    WriteCpu(cpu, cpu, "", cpu % 2 == 0 ? "0,2" : "1,3");
  }
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_THAT(machine.cpus_in_llc(0), ElementsAre(0, 2));
  EXPECT_THAT(machine.cpus_in_llc(1), ElementsAre(1, 3));
}

TEST_F(TopologyTreeTest, OrdersLlcsByIdNotByCpu) {
  Write("cpu/online", "0-1");
  WriteCpu(0, 0, "7", "0");
  WriteCpu(1, 1, "3", "1");
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_THAT(machine.cpus_in_llc(0), ElementsAre(1));
  EXPECT_THAT(machine.cpus_in_llc(1), ElementsAre(0));
}

TEST_F(TopologyTreeTest, NoCachesMeanOneLlc) {
  Write("cpu/online", "0-2");
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_EQ(machine.num_llcs(), 1);
  EXPECT_THAT(machine.cpus_in_llc(0), ElementsAre(0, 1, 2));
  EXPECT_EQ(machine.llcs()[0].cores.size(), 3u);
}

TEST_F(TopologyTreeTest, SkipsOfflineCpus) {
  Write("cpu/online", "0,2");
  for (int cpu : {0, 2}) WriteCpu(cpu, cpu, "0", "0,2");
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_THAT(machine.all_cpus(), ElementsAre(0, 2));
  EXPECT_THAT(machine.usable_cpus(), ElementsAre(0, 2));
}

TEST_F(TopologyTreeTest, FindsMemoryOnlyNodesAndDistances) {
  Write("cpu/online", "0-1");
  WriteCpu(0, 0, "0", "0-1");
  WriteCpu(1, 1, "0", "0-1");
  Write("node/node0/cpulist", "0-1");
  Write("node/node0/distance", "10 30");
  Write("node/node2/cpulist", "");
  Write("node/node2/distance", "30 10");
  Write("node/node2/meminfo",
        "Node 2 MemTotal:       1024 kB\nNode 2 MemFree:         512 kB");
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_EQ(machine.num_nodes(), 2);
  ASSERT_NE(machine.find_node(2), nullptr);
  EXPECT_TRUE(machine.find_node(2)->is_memory_only());
  EXPECT_EQ(machine.find_node(2)->free_kib, 512);
  EXPECT_EQ(machine.distance(0, 2), 30);
  EXPECT_EQ(machine.distance(0, 1), 255);
  EXPECT_EQ(machine.find_node(1), nullptr);
}

TEST_F(TopologyTreeTest, ReplacesAnAsymmetricDistanceMatrix) {
  Write("cpu/online", "0");
  Write("node/node0/cpulist", "0");
  Write("node/node0/distance", "10 30");
  Write("node/node1/cpulist", "");
  Write("node/node1/distance", "21 10");
  ASSERT_OK_AND_ASSIGN(GuestTopology machine, Read());
  EXPECT_EQ(machine.distance(0, 1), 20);
  EXPECT_EQ(machine.distance(1, 1), 10);
}

TEST_F(TopologyTreeTest, NamesTheFileThatDoesNotParse) {
  Write("cpu/online", "0");
  Write("cpu/cpu0/topology/core_id", "many");
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("cpu0/topology/core_id")));
}

TEST_F(TopologyTreeTest, AnEmptyMachineIsAnError) {
  Write("cpu/online", "");
  EXPECT_THAT(Read(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("no CPU is online")));
}

TEST(GuestTopologyTest, DeclaredMachineHasItsShape) {
  ASSERT_OK_AND_ASSIGN(Topology declared, Topology::Parse("2n4l2c2t"));
  GuestTopology machine = GuestTopology::FromDeclared(declared);
  EXPECT_EQ(machine.total_cpus(), 16);
  EXPECT_EQ(machine.num_llcs(), 4);
  EXPECT_THAT(machine.cpus_of_node(1),
              ElementsAre(8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(machine.llcs()[0].cores, ElementsAre(Pair(0, ElementsAre(0, 1)),
                                                   Pair(1, ElementsAre(2, 3))));
  EXPECT_THAT(machine.nodes_of({3, 12}), ElementsAre(0, 1));
  EXPECT_EQ(machine.distance(0, 1), 20);
}

TEST(GuestTopologyTest, WindowsShareAndWrap) {
  // base 4, shared 2, stride 2.
  EXPECT_THAT(GuestTopology::FromDeclared(*Topology::Parse("1n1l12c1t"))
                  .wrapping_windows(3, .5),
              ElementsAre(ElementsAre(0, 1, 2, 3), ElementsAre(2, 3, 4, 5),
                          ElementsAre(4, 5, 6, 7)));
  GuestTopology pair =
      GuestTopology::FromDeclared(*Topology::Parse("1n1l2c1t"));
  // More windows than CPUs: one CPU each, the third begins again.
  EXPECT_THAT(pair.wrapping_windows(3, .5),
              ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(0)));
  EXPECT_THAT(pair.wrapping_windows(0, .5), ElementsAre());
}

}  // namespace
}  // namespace ktstr
