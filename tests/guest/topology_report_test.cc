// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/topology_report.h"

#include <fcntl.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// What Linux 6.12 shows of a machine with two LLCs of one core with two threads
// each, the LLCs on a node each, and a third node with memory only.
class TopologyReportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("topology_report"));
    root_ = std::make_unique<TempDir>(std::move(dir));
    Write("cpu/online", "0-3");
    for (int cpu = 0; cpu < 4; ++cpu) WriteCpu(cpu);
    Write("node/online", "0-2");
    Write("node/has_cpu", "0-1");
    Write("node/has_memory", "0-2");
    WriteNode(0, "0-1", "10 20 30", 0, "100", "51200");
    WriteNode(1, "2-3", "20 10 40", 1, "100", "51200");
    WriteNode(2, "", "30 40 10", 0, "444", "6826");
    const std::string cache = "node/node2/memory_side_cache/index1/";
    Write(cache + "size", "4194304");
    Write(cache + "line_size", "64");
    Write(cache + "indexing", "1");
    Write(cache + "write_policy", "0");
  }

  void WriteCpu(int cpu) {
    const std::string dir = absl::StrCat("cpu/cpu", cpu, "/");
    const std::string siblings = cpu < 2 ? "0-1" : "2-3";
    for (const char* name : {"thread_siblings_list", "core_cpus_list"}) {
      Write(dir + "topology/" + name, siblings);
    }
    for (const char* name :
         {"die_cpus_list", "package_cpus_list", "core_siblings_list"}) {
      Write(dir + "topology/" + name, "0-3");
    }
    Write(dir + "topology/core_id", cpu < 2 ? "0" : "1");
    Write(dir + "topology/die_id", "0");
    Write(dir + "topology/physical_package_id", "0");
    const struct {
      const char *level, *type, *size, *ways, *sets;
    } caches[] = {{"1", "Data", "32K", "8", "64"},
                  {"1", "Instruction", "32K", "8", "64"},
                  {"2", "Unified", "512K", "8", "1024"},
                  {"3", "Unified", "16384K", "16", "16384"}};
    for (int i = 0; i < 4; ++i) {
      const std::string index = absl::StrCat(dir, "cache/index", i, "/");
      Write(index + "level", caches[i].level);
      Write(index + "type", caches[i].type);
      Write(index + "size", caches[i].size);
      Write(index + "ways_of_associativity", caches[i].ways);
      Write(index + "number_of_sets", caches[i].sets);
      Write(index + "coherency_line_size", "64");
      Write(index + "shared_cpu_list", siblings);
    }
  }

  void WriteNode(int node, const std::string& cpus, const std::string& distance,
                 int nearest, const std::string& latency,
                 const std::string& bandwidth) {
    const std::string dir = absl::StrCat("node/node", node, "/");
    Write(dir + "cpulist", cpus);
    Write(dir + "distance", distance);
    for (const char* access : {"access0", "access1"}) {
      const std::string initiators = dir + access + "/initiators/";
      Write(absl::StrCat(initiators, "node", nearest), "");
      for (const char* operation : {"read", "write"}) {
        Write(initiators + operation + "_latency", latency);
        Write(initiators + operation + "_bandwidth", bandwidth);
      }
    }
  }

  void Write(const std::string& file, const std::string& text) {
    std::string path = JoinPath(root_->path(), file);
    ASSERT_OK(MakeDirs(std::string(Dirname(path))));
    // Not synchronised: there are thousands.
    ASSERT_OK_AND_ASSIGN(UniqueFd fd,
                         OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0644));
    ASSERT_OK(WriteAll(fd.get(), text + "\n"));
  }

  static MachineTopology Declared() {
    return *MachineTopology::Create(
        *Topology::Parse("2n2l1c2t"), 300,
        {.nodes = {{.llcs = 1, .memory_mib = 100},
                   {.llcs = 1, .memory_mib = 100},
                   {.memory_mib = 100,
                    .latency_ns = 444,
                    .memory_side_cache =
                        MemorySideCache{
                            .size_mib = 4,
                            .indexing = MemorySideCache::Indexing::kComplex}}},
         .distances = {{10, 20, 30}, {20, 10, 40}, {30, 40, 10}}});
  }

  std::vector<std::string> Differences(bool cpus_came_late = false) {
    Facts facts(root_->path());
    CompareCpus(Declared(), /*is_amd=*/false, facts);
    CompareNodes(Declared(), cpus_came_late, facts);
    return facts.differences();
  }

  std::unique_ptr<TempDir> root_;
};

TEST_F(TopologyReportTest, AcceptsTheDeclaredMachine) {
  EXPECT_THAT(Differences(), IsEmpty());
}

struct Deviation {
  const char* file;
  const char* text;
  const char* difference;
};

TEST_F(TopologyReportTest, NamesEveryDeviation) {
  const Deviation deviations[] = {
      {"cpu/online", "0-2", "cpu/online is \"0-2\", declared \"0-3\""},
      {"cpu/cpu3/cache/index3/shared_cpu_list", "0-3",
       "cpu/cpu3/cache/index3/shared_cpu_list is \"0-3\", declared \"2-3\""},
      {"cpu/cpu0/topology/thread_siblings_list", "0",
       "cpu/cpu0/topology/thread_siblings_list is \"0\", declared \"0-1\""},
      {"cpu/cpu2/topology/physical_package_id", "1",
       "cpu/cpu2/topology/physical_package_id is \"1\", declared \"0\""},
      {"cpu/cpu2/topology/core_id", "0",
       "cpu/cpu2/topology/core_id is \"0\", declared \"1\""},
      {"cpu/cpu1/cache/index2/size", "1024K",
       "cpu/cpu1/cache/index2/size is \"1024K\", declared \"512K\""},
      {"cpu/cpu1/cache/index4/size", "1K",
       "cpu/cpu1/cache/index4 exists but is not declared"},
      {"cpu/cpu4/online", "1", "cpu/cpu4 exists but is not declared"},
      {"node/node1/distance", "20 10 41",
       "node/node1/distance is \"20 10 41\", declared \"20 10 40\""},
      {"node/node1/access1/initiators/read_latency", "0",
       "node/node1/access1/initiators/read_latency is \"0\", declared "
       "\"100\""},
      {"node/node1/access0/initiators/node0", "",
       "node/node1/access0/initiators/node0 exists but is not declared"},
      {"node/node0/memory_side_cache/index1/size", "1",
       "node/node0/memory_side_cache exists but is not declared"},
      {"node/node2/memory_side_cache/index1/indexing", "0",
       "node/node2/memory_side_cache/index1/indexing is \"0\", declared "
       "\"1\""},
      {"node/has_memory", "0-1",
       "node/has_memory is \"0-1\", declared \"0-2\""},
  };
  for (const Deviation& deviation : deviations) {
    SetUp();
    Write(deviation.file, deviation.text);
    EXPECT_THAT(Differences(), ElementsAre(deviation.difference));
  }
}

TEST(DieOfTest, IsANodeOnlyForAmdWithSeveralNodesInAPackage) {
  auto die = [](const char* topology, bool is_amd, LlcsAre llcs_are) {
    return DieOf(*MachineTopology::Create(*Topology::Parse(topology), 256,
                                          {.llcs_are = llcs_are}),
                 is_amd, 0);
  };
  EXPECT_THAT(die("2n4l1c1t", false, LlcsAre::kGroups),
              ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(die("2n4l1c1t", true, LlcsAre::kGroups), ElementsAre(0, 1));
  EXPECT_THAT(die("1n4l1c1t", true, LlcsAre::kGroups), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(die("2n4l1c1t", true, LlcsAre::kDies), ElementsAre(0));
  EXPECT_THAT(die("2n4l1c1t", true, LlcsAre::kPackages), ElementsAre(0));
}

TEST_F(TopologyReportTest, WhatIsNotThereIsADifference) {
  ASSERT_OK(RemoveTree(JoinPath(root_->path(), "node/node2")));
  EXPECT_THAT(Differences(), ::testing::Contains("there is no node/node2"));
}

TEST_F(TopologyReportTest, LateCpusSayNothingOfClassOne) {
  Write("node/node1/access1/initiators/read_latency", "200");
  EXPECT_THAT(Differences(/*cpus_came_late=*/true), IsEmpty());
}

TEST_F(TopologyReportTest, PagesOfEachNodeAreCounted) {
  const std::string zones =
      "Node 0, zone      DMA\n  pages free     10\n        present  3998\n"
      "Node 0, zone    DMA32\n        present  21504\n"
      "Node 1, zone    DMA32\n        present  25600\n"
      "Node 2, zone   Normal\n        present  25599\n";
  Facts facts(root_->path());
  ComparePages(Declared(), zones, facts);
  EXPECT_THAT(facts.differences(),
              ElementsAre("pages present on node 2 is 25599, declared 25600"));
}

}  // namespace
}  // namespace ktstr::guest
