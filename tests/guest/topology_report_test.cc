// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/guest/topology_report.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cpu_list.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guest {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A tree such as a kernel shows for a declared machine.
class TopologyReportTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("topology_report"));
    root_ = std::make_unique<TempDir>(std::move(dir));
  }

  void Write(const std::string& file, const std::string& text) {
    std::string path = JoinPath(root_->path(), file);
    ASSERT_OK(MakeDirs(std::string(Dirname(path))));
    ASSERT_OK(WriteFileAtomically(path, text + "\n"));
  }

  void WriteMachine(const Topology& machine) {
    std::string all = absl::StrCat("0-", machine.cpus() - 1);
    Write("cpu/online", all);
    for (int cpu = 0; cpu < machine.cpus(); ++cpu) {
      CpuPlace place = machine.PlaceOf(cpu);
      int first = cpu - place.thread;
      std::vector<int> siblings;
      for (int t = 0; t < machine.threads_per_core(); ++t) {
        siblings.push_back(first + t);
      }
      std::string dir = absl::StrCat("cpu/cpu", cpu, "/");
      Write(dir + "topology/thread_siblings_list", FormatCpuList(siblings));
      Write(dir + "topology/core_cpus_list", FormatCpuList(siblings));
      Write(dir + "topology/package_cpus_list", all);
      Write(dir + "topology/physical_package_id", "0");
      Write(dir + "topology/die_id", "0");
      Write(dir + "topology/core_id",
            absl::StrCat(place.llc * 64 + place.core));
      Write(dir + "cache/index0/level", "1");
      Write(dir + "cache/index0/size", "32K");
      Write(dir + "cache/index0/shared_cpu_list", FormatCpuList(siblings));
      Write(dir + "cache/index3/level", "3");
      Write(dir + "cache/index3/size", "16384K");
      Write(dir + "cache/index3/shared_cpu_list",
            FormatCpuList(machine.CpusOfLlc(place.llc)));
    }
    for (int node = 0; node < machine.nodes(); ++node) {
      Write(absl::StrCat("node/node", node, "/cpulist"),
            FormatCpuList(machine.CpusOfNode(node)));
      std::vector<int> distances(machine.nodes(), 20);
      distances[node] = 10;
      Write(absl::StrCat("node/node", node, "/distance"),
            absl::StrJoin(distances, " "));
    }
  }

  const std::string& root() const { return root_->path(); }

  std::unique_ptr<TempDir> root_;
};

TEST_P(TopologyReportTest, AcceptsTheDeclaredMachine) {
  ASSERT_OK_AND_ASSIGN(Topology machine, Topology::Parse(GetParam()));
  WriteMachine(machine);
  EXPECT_THAT(CompareTopology(root(), machine), IsOkAndHolds(IsEmpty()));
}

INSTANTIATE_TEST_SUITE_P(Machines, TopologyReportTest,
                         ::testing::Values("1n1l4c1t", "1n2l2c1t", "1n3l3c1t",
                                           "1n2l2c2t", "2n4l4c1t"));

TEST_F(TopologyReportTest, NamesAnLlcThatIsSharedTooWidely) {
  ASSERT_OK_AND_ASSIGN(Topology machine, Topology::Parse("1n2l2c1t"));
  WriteMachine(machine);
  Write("cpu/cpu3/cache/index3/shared_cpu_list", "0-3");
  EXPECT_THAT(CompareTopology(root(), machine),
              IsOkAndHolds(ElementsAre(
                  "cpu/cpu3/cache/index3/shared_cpu_list is \"0-3\", declared "
                  "\"2-3\"")));
}

TEST_F(TopologyReportTest, NamesAMissingSibling) {
  ASSERT_OK_AND_ASSIGN(Topology machine, Topology::Parse("1n1l2c2t"));
  WriteMachine(machine);
  Write("cpu/cpu0/topology/thread_siblings_list", "0");
  EXPECT_THAT(CompareTopology(root(), machine),
              IsOkAndHolds(ElementsAre(HasSubstr("declared \"0-1\""))));
}

TEST_F(TopologyReportTest, NamesASecondPackage) {
  ASSERT_OK_AND_ASSIGN(Topology machine, Topology::Parse("1n1l2c1t"));
  WriteMachine(machine);
  Write("cpu/cpu1/topology/physical_package_id", "1");
  EXPECT_THAT(CompareTopology(root(), machine),
              IsOkAndHolds(ElementsAre(HasSubstr("one package"))));
}

TEST_F(TopologyReportTest, NamesACoreIdUsedTwice) {
  ASSERT_OK_AND_ASSIGN(Topology machine, Topology::Parse("1n1l2c1t"));
  WriteMachine(machine);
  Write("cpu/cpu1/topology/core_id", "0");
  EXPECT_THAT(
      CompareTopology(root(), machine),
      IsOkAndHolds(ElementsAre("core_id 0 is that of CPUs 0-1, declared 0")));
}

TEST_F(TopologyReportTest, NamesAWrongDistance) {
  ASSERT_OK_AND_ASSIGN(Topology machine, Topology::Parse("2n2l1c1t"));
  WriteMachine(machine);
  Write("node/node1/distance", "10 20");
  EXPECT_THAT(CompareTopology(root(), machine),
              IsOkAndHolds(ElementsAre("node/node1/distance is \"10 20\", "
                                       "declared \"20 10\"")));
}

TEST_F(TopologyReportTest, NamesCpusAndNodesThatAreNotThere) {
  ASSERT_OK_AND_ASSIGN(Topology small, Topology::Parse("1n1l2c1t"));
  ASSERT_OK_AND_ASSIGN(Topology large, Topology::Parse("2n2l1c1t"));
  WriteMachine(small);
  ASSERT_OK_AND_ASSIGN(std::vector<std::string> differences,
                       CompareTopology(root(), large));
  EXPECT_THAT(differences, ::testing::Contains("there is no NUMA node 1"));
}

}  // namespace
}  // namespace ktstr::guest
