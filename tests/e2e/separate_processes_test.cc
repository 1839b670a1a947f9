// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Coordinator, two hostd and ktstrctl as separate processes over TCP.
#include <signal.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class SeparateProcessesTest : public ::testing::Test {
 protected:
  void SetUp() override { StartCoordinator("127.0.0.1:0"); }

  // Learns the bound address from the line the coordinator prints when it
  // serves.
  void StartCoordinator(const std::string& listen) {
    coordinator_.reset();
    ASSERT_OK_AND_ASSIGN(
        Running started,
        Running::Start({Program("coordinator"), "--listen", listen, "--data",
                        JoinPath(dir_.path(), "data"), "--host-timeout", "5",
                        "--ready-fd", "1"}));
    coordinator_.emplace(std::move(started));
    ASSERT_OK(coordinator_->AwaitLine("127.0.0.1:", absl::Seconds(30)));
    ASSERT_OK(coordinator_->AwaitLine("\n", absl::Seconds(30)));
    const std::string& text = coordinator_->output();
    size_t begin = text.find("127.0.0.1:");
    address_ = text.substr(
        begin, text.find_first_not_of("0123456789.:", begin) - begin);
  }

  Running StartHost(const std::string& name) {
    absl::StatusOr<Running> host = Running::Start(
        {Program("hostd"), "--coordinator", address_, "--host-id", name,
         "--cache", JoinPath(dir_.path(), name + "-cache"), "--run-dir",
         JoinPath(dir_.path(), name + "-run"), "--cpus", "1"});
    EXPECT_OK(host);
    return *std::move(host);
  }

  std::vector<std::string> SubmitArgs() {
    return {Program("topology"), "--filter", "empty",
            "--coordinator",     address_,   "--preset",
            "tiny-1llc",         "--preset", "tiny-2llc",
            "--preset",          "smt-2llc"};
  }

  TempDir dir_ = *TempDir::Create("e2e-fleet-");
  std::optional<Running> coordinator_;
  std::string address_;
};

TEST_F(SeparateProcessesTest, BothHostsGetWork) {
  Running a = StartHost("a");
  Running b = StartHost("b");
  SubmitRun run = Submit(SubmitArgs());
  EXPECT_EQ(run.exit.code, 0) << run.out << run.err;
  ASSERT_THAT(run.results, SizeIs(3));
  std::set<std::string> hosts;
  for (const VariantResult& result : run.results) hosts.insert(result.host_id);
  EXPECT_THAT(hosts, UnorderedElementsAre("a", "b"));
}

TEST_F(SeparateProcessesTest, KilledHostLosesNothing) {
  Running a = StartHost("a");
  TempDir output = *TempDir::Create("e2e-results-");
  std::vector<std::string> argv = {Program("ktstrctl"), "submit"};
  for (const std::string& arg : SubmitArgs()) argv.push_back(arg);
  argv.insert(argv.end(),
              {"--kernel", KernelPath(), "--output", output.path()});
  ASSERT_OK_AND_ASSIGN(Running run, Running::Start(argv));
  ASSERT_OK(run.AwaitLine("VMM_UP", absl::Minutes(2)));
  Running b = StartHost("b");
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
  Running a = StartHost("a");
  TempDir output = *TempDir::Create("e2e-results-");
  std::vector<std::string> argv = {Program("ktstrctl"), "submit"};
  for (const std::string& arg : SubmitArgs()) argv.push_back(arg);
  argv.insert(argv.end(),
              {"--kernel", KernelPath(), "--output", output.path()});
  ASSERT_OK_AND_ASSIGN(Running run, Running::Start(argv));
  ASSERT_OK(run.AwaitLine("VMM_UP", absl::Minutes(2)));
  std::string address = address_;
  StartCoordinator(address);  // ends the first one with SIGKILL
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish(absl::Minutes(6)));
  EXPECT_EQ(exit.code, 0) << run.output();
  EXPECT_THAT(ReadResults(output.path()), SizeIs(3));
}

}  // namespace
}  // namespace ktstr::e2e
