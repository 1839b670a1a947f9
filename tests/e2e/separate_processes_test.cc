// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Coordinator, two hostd and ktstrctl as separate processes over TCP.
#include <signal.h>

#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"
#include "tests/e2e/fleet_processes.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class SeparateProcessesTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(fleet_.StartCoordinator()); }

  std::vector<std::string> SubmitArgs() {
    return {Program("topology"), "--filter", "empty",     "--coordinator",
            fleet_.address(),    "--preset", "tiny-1llc", "--preset",
            "tiny-2llc",         "--preset", "smt-2llc"};
  }

  FleetProcesses fleet_;
};

TEST_F(SeparateProcessesTest, BothHostsGetWork) {
  Running a = fleet_.StartHost("a");
  Running b = fleet_.StartHost("b");
  SubmitRun run = Submit(SubmitArgs());
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(3));
  std::set<std::string> hosts;
  for (const VariantResult& result : run.results) hosts.insert(result.host_id);
  EXPECT_THAT(hosts, UnorderedElementsAre("a", "b"));
}

TEST_F(SeparateProcessesTest, KilledHostLosesNothing) {
  Running a = fleet_.StartHost("a");
  TempDir output = *TempDir::Create("e2e-results-");
  std::vector<std::string> argv = {Program("ktstrctl"), "submit"};
  for (const std::string& arg : SubmitArgs()) argv.push_back(arg);
  argv.insert(argv.end(),
              {"--kernel", KernelPath(), "--output", output.path()});
  ASSERT_OK_AND_ASSIGN(Running run, Running::Start(argv));
  ASSERT_OK(run.AwaitLine("VMM_UP", absl::Minutes(2)));
  Running b = fleet_.StartHost("b");
  kill(a.process().pid(), SIGKILL);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish(absl::Minutes(6)));
  EXPECT_EQ(exit.code, 0) << run.output();
  std::vector<VariantResult> results = ReadResults(output.path());
  ASSERT_THAT(results, SizeIs(3));
  for (const VariantResult& result : results) {
    EXPECT_EQ(result.outcome, "PASS") << result.variant << result.reason;
  }
}

TEST_F(SeparateProcessesTest, KilledCoordinatorComesBackAndTheRunGoesOn) {
  Running a = fleet_.StartHost("a");
  TempDir output = *TempDir::Create("e2e-results-");
  std::vector<std::string> argv = {Program("ktstrctl"), "submit"};
  for (const std::string& arg : SubmitArgs()) argv.push_back(arg);
  argv.insert(argv.end(),
              {"--kernel", KernelPath(), "--output", output.path()});
  ASSERT_OK_AND_ASSIGN(Running run, Running::Start(argv));
  ASSERT_OK(run.AwaitLine("VMM_UP", absl::Minutes(2)));
  std::string address = fleet_.address();
  ASSERT_OK(fleet_.StartCoordinator(address));  // kills the first one
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish(absl::Minutes(6)));
  EXPECT_EQ(exit.code, 0) << run.output();
  EXPECT_THAT(ReadResults(output.path()), SizeIs(3));
}

}  // namespace
}  // namespace ktstr::e2e
