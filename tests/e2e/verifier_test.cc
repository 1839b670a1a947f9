// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What `ktstrctl verifier` finds out about real schedulers on a real kernel.
#include <set>
#include <string>
#include <vector>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using ::testing::Not;

struct Verification {
  int exit_code = -1;
  std::string out;
  std::string err;
};

Verification Verify(std::vector<std::string> args) {
  Verification run;
  absl::StatusOr<TempDir> results = TempDir::Create("verifier");
  EXPECT_OK(results.status());
  if (!results.ok()) return run;
  args.insert(args.begin(),
              {Program("ktstrctl"), "verifier", "--quiet", "--kernel",
               KernelPath(), "--output", results->path()});
  absl::StatusOr<CommandOutput> output =
      RunCommand({.argv = args}, absl::Minutes(8));
  EXPECT_OK(output.status());
  if (!output.ok()) return run;
  return {output->exit.code, output->out, output->err};
}

json Parse(const Verification& run) {
  json out = json::parse(run.out, nullptr, /*allow_exceptions=*/false);
  EXPECT_TRUE(out.is_object()) << run.out << run.err;
  return out;
}

// All figures of a program that was accepted.
void ExpectWhole(const json& program) {
  SCOPED_TRACE(program.dump());
  EXPECT_EQ(program["accepted"], true);
  EXPECT_GT(program["verified_insns"], 0);
  EXPECT_EQ(program["verified_insns"], program["processed_insns"]);
  EXPECT_EQ(program["insn_limit"], 1000000);
  EXPECT_TRUE(program["total_states"].is_number());
  EXPECT_TRUE(program["peak_states"].is_number());
  EXPECT_TRUE(program["stack_depths"].is_array());
  EXPECT_TRUE(program["verification_us"].is_number());
}

std::set<std::string> NamesOf(const json& result) {
  std::set<std::string> names;
  for (const json& program : result["programs"]) {
    names.insert(program["name"].get<std::string>());
  }
  return names;
}

// Built with the kernel's own tree and its own libbpf.
TEST(VerifierTest, SeesTheProgramsOfAnUnmodifiedScheduler) {
  Verification run = Verify({"--scheduler", SchedulerPath(), "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  json out = Parse(run);
  ASSERT_EQ(out["results"].size(), 1u);
  const json& result = out["results"][0];
  EXPECT_TRUE(result["missing"].is_null()) << result["missing"];
  // Cut to 15 bytes, as the kernel has them; nothing else, so no probes.
  EXPECT_THAT(NamesOf(result),
              ElementsAre("simple_dispatch", "simple_enable", "simple_enqueue",
                          "simple_exit", "simple_init", "simple_running",
                          "simple_select_c", "simple_stopping"));
  for (const json& program : result["programs"]) {
    EXPECT_EQ(program["type"], "struct_ops");
    ExpectWhole(program);
  }
}

TEST(VerifierTest, ComparesSchedulersInEveryProfile) {
  Verification run =
      Verify({"--scheduler", Program("scx_fixture"), "--all-profiles",
              "--against", Program("scx_fixture"), "--json"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  json out = Parse(run);
  std::set<std::string> profiles;
  for (const json& result : out["results"]) {
    profiles.insert(result["profile"].get<std::string>());
    EXPECT_THAT(NamesOf(result),
                IsSupersetOf({"fixture_enqueue", "fixture_dispatc"}));
    for (const json& program : result["programs"]) ExpectWhole(program);
  }
  EXPECT_THAT(profiles, AllOf(Contains("default"), Contains("llc"),
                              Contains("llc+steal"), Not(Contains("steal"))));
  EXPECT_EQ(out["results"].size(), 2 * profiles.size());
  ASSERT_EQ(out["comparisons"].size(), profiles.size());
  for (const json& comparison : out["comparisons"]) {
    for (const json& program : comparison["programs"]) {
      EXPECT_EQ(program["delta"], 0) << program.dump();
    }
  }
}

TEST(VerifierTest, RejectionIsOneWithTheReasonOfTheVerifier) {
  const struct {
    const char* arg;
    const char* program;
    const char* reason;
  } kCases[] = {
      {"--reject-load", "fixture_enqueue", "invalid mem access"},
      {"--verifier-loop", "fixture_enqueue", "is too complex"},
  };
  for (const auto& rejected : kCases) {
    SCOPED_TRACE(rejected.arg);
    Verification run = Verify({"--scheduler", Program("scx_fixture"),
                               std::string("--scheduler-arg=") + rejected.arg});
    EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
    EXPECT_THAT(run.out,
                AllOf(HasSubstr(rejected.program), HasSubstr("refused ("),
                      HasSubstr("--- verifier log of fixture_enqueue"),
                      HasSubstr(rejected.reason)));
  }
}

}  // namespace
}  // namespace ktstr::e2e
