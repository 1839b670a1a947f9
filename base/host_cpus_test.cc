// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "base/host_cpus.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"

namespace ktstr {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HostCpusTest : public testing::Test {
 protected:
  HostCpusTest() : sys_(*TempDir::Create("host-cpus")) {}

  void Write(const std::string& name, const std::string& text) {
    const std::string path =
        JoinPath(sys_.path(), absl::StrCat("devices/system/", name));
    EXPECT_OK(MakeDirs(path.substr(0, path.rfind('/'))));
    EXPECT_OK(WriteFileAtomically(path, text));
  }
  void WriteCpu(int cpu, const std::string& siblings, const std::string& l2,
                const std::string& l3) {
    const std::string dir = absl::StrCat("cpu/cpu", cpu);
    Write(dir + "/topology/thread_siblings_list", siblings + "\n");
    Write(dir + "/cache/index0/level", "2\n");
    Write(dir + "/cache/index0/shared_cpu_list", l2 + "\n");
    if (l3.empty()) return;
    Write(dir + "/cache/index1/level", "3\n");
    Write(dir + "/cache/index1/shared_cpu_list", l3 + "\n");
  }

  TempDir sys_;
};

TEST_F(HostCpusTest, CoresLlcsAndNodes) {
  Write("cpu/online", "0-2,4\n");
  WriteCpu(0, "0,2", "0,2", "0-2");
  WriteCpu(1, "1", "1", "0-2");
  WriteCpu(2, "0,2", "0,2", "0-2");
  WriteCpu(4, "4", "4", "");
  Write("node/node0/cpulist", "0-2\n");
  Write("node/node3/cpulist", "4\n");
  Write("node/has_cpu", "0,3\n");
  EXPECT_THAT(ReadHostCpus({0, 1, 2, 4, 7}, sys_.path()),
              IsOkAndHolds(ElementsAre(
                  HostCpu{.cpu = 0, .core = 0, .llc = 0, .node = 0},
                  HostCpu{.cpu = 1, .core = 1, .llc = 0, .node = 0},
                  HostCpu{.cpu = 2, .core = 0, .llc = 0, .node = 0},
                  HostCpu{.cpu = 4, .core = 4, .llc = 4, .node = 3})));
  EXPECT_THAT(ReadHostCpus({2}, sys_.path()),
              IsOkAndHolds(ElementsAre(
                  HostCpu{.cpu = 2, .core = 0, .llc = 0, .node = 0})));
}

TEST_F(HostCpusTest, NoAllowedCpuIsAnErrorAndNoGuess) {
  Write("cpu/online", "0\n");
  WriteCpu(0, "0", "0", "");
  EXPECT_THAT(ReadHostCpus({5}, sys_.path()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(HostCpusTest, BadFilesAreNamed) {
  Write("cpu/online", "zero\n");
  EXPECT_THAT(
      ReadHostCpus({0}, sys_.path()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cpu/online")));
}

TEST(HostCpusOfThisMachineTest, AreRead) {
  const std::vector<int> allowed = AllowedHostCpus();
  ASSERT_THAT(allowed, Not(IsEmpty()));
  ASSERT_OK_AND_ASSIGN(std::vector<HostCpu> cpus, ReadHostCpus(allowed));
  for (const HostCpu& cpu : cpus) EXPECT_THAT(allowed, Contains(cpu.cpu));
}

}  // namespace
}  // namespace ktstr
