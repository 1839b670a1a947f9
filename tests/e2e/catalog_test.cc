// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A handful of the catalogue in guests (tests/catalog.sh plays all of it), and
// scenarios on the machine itself.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(CatalogTest, PassesInGuestsOrIsExcludedWithTheReason) {
  SubmitRun run =
      Submit({Program("catalog"), "--preset", "tiny-2llc", "--filter",
              "cgroup_cpuset_llc_steady", "--filter", "nested_cgroup_task_move",
              "--filter", "cgroup_cpuset_swap_disjoint"});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  EXPECT_EQ(run.results.size(), 2u) << run.out << run.err;
  EXPECT_EQ(run.Of("cgroup_cpuset_llc_steady").outcome, "PASS");
  EXPECT_EQ(run.Of("nested_cgroup_task_move").outcome, "PASS");
  EXPECT_THAT(run.out,
              HasSubstr("left out gauntlet/cgroup_cpuset_swap_disjoint/"
                        "tiny-2llc: "));
}

constexpr char kRoot[] = "/sys/fs/cgroup/ktstr";

class HostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The lab host has them; a machine with KVM of its own may not.
    CommandOutput check = Host({"cleanup"});
    if (check.exit.code == 2) GTEST_SKIP() << check.err;
    ASSERT_EQ(check.exit.code, 0) << check.err;
    before_ = Footprint::Take();
  }

  static std::vector<std::string> HostArgs(std::vector<std::string> args) {
    args.insert(args.begin(), {Program("ktstrctl"), "host"});
    return args;
  }

  static CommandOutput Host(std::vector<std::string> args) {
    absl::StatusOr<CommandOutput> output =
        RunCommand({.argv = HostArgs(std::move(args))}, absl::Minutes(2));
    EXPECT_OK(output);
    return output.ok() ? *std::move(output) : CommandOutput{};
  }

  void ExpectNothingLeft() {
    AwaitProcessesGone(before_, absl::Seconds(20));
    EXPECT_EQ(Footprint::Take().BeyondThat(before_), "");
    EXPECT_THAT(PidsOf("catalog"), ::testing::IsEmpty());
    EXPECT_FALSE(FileExists(kRoot));
  }

  Footprint before_;
};

TEST_F(HostTest, RunsScenariosAndLeavesNothing) {
  CommandOutput run =
      Host({"run", "cgroup_rapid_churn", "steady", "cgroup_cpuset_numa_swap",
            "--duration", "400ms", "--workers", "1", "--overcommitted"});
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("PASS      cgroup_rapid_churn/default"),
                             HasSubstr("PASS      steady/default"),
                             HasSubstr("needs 2 CPUs, the machine has 1"),
                             HasSubstr("3 variants: 2 passed, 1 skipped in ")));
  ExpectNothingLeft();
}

TEST_F(HostTest, CtrlCEndsWorkersAndCgroups) {
  ASSERT_OK_AND_ASSIGN(
      Running run,
      Running::Start(HostArgs(
          {"run", "steady", "cgroup_rapid_churn", "--duration", "200ms"})));
  // The first one is over, the second under way.
  ASSERT_OK(run.AwaitLine("steady", absl::Minutes(1)));
  ASSERT_OK(run.process().Kill(SIGINT));
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish(absl::Minutes(1)));
  EXPECT_EQ(exit.code, 130) << run.output();
  EXPECT_THAT(run.output(), HasSubstr("CANCELLED"));
  ExpectNothingLeft();
}

TEST_F(HostTest, CleanUpEndsWhatAKilledRunLeft) {
  // A worker that outlived everything, in a cgroup below the scenarios'.
  const std::string cgroup = std::string(kRoot) + "/cg_0";
  ASSERT_EQ(mkdir(kRoot, 0755), 0);
  ASSERT_EQ(mkdir(cgroup.c_str(), 0755), 0);
  absl::StatusOr<Subprocess> worker =
      Subprocess::Start({.argv = {"sleep", "1000"}});
  ASSERT_OK(worker);
  {
    ASSERT_OK_AND_ASSIGN(UniqueFd procs,
                         OpenFile(JoinPath(cgroup, "cgroup.procs"), O_WRONLY));
    ASSERT_OK(WriteAll(procs.get(), std::to_string(worker->pid())));
  }
  CommandOutput cleanup = Host({"cleanup"});
  EXPECT_EQ(cleanup.exit.code, 0) << cleanup.err;
  EXPECT_THAT(cleanup.out, HasSubstr("removed /sys/fs/cgroup/ktstr"));
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, worker->WaitFor(absl::Seconds(20)));
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_THAT(Host({"cleanup"}).out, HasSubstr("nothing to clean up"));
  ExpectNothingLeft();
}

TEST_F(HostTest, ListAndTopoSayWhatThereIs) {
  EXPECT_THAT(Host({"list", "--category", "cpuset"}).out,
              AllOf(HasSubstr("cgroup_cpuset_overlap_steady"),
                    HasSubstr("needs 8 CPUs, the machine has ")));
  EXPECT_THAT(Host({"topo"}).out, HasSubstr(" LLCs, "));
}

}  // namespace
}  // namespace ktstr::e2e
