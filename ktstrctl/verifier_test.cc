// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// `ktstrctl verifier` with the real coordinator and a hostd without machines,
// which makes up what the kernel says about programs (testing/fake_hostd.cc).
#include <unistd.h>

#include <set>

#include "absl/strings/match.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "kernel/testing/tiny_kernel.h"
#include "ktstrctl/testing/command_line.h"
#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {
namespace {

using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class VerifierTest : public CommandLineTest {
 protected:
  void SetUp() override {
    CommandLineTest::SetUp();
    ASSERT_EQ(symlink(Built("ktstr/verifier_suite").c_str(),
                      JoinPath(libexec_, "verifier_suite").c_str()),
              0);
    scheduler_ = Built("bpf/scx_fixture");
    kernel_ = JoinPath(dir_->path(), "vmlinux");
    // Without a configuration, sched_ext is looked for in the image.
    ASSERT_OK(WriteFileAtomically(
        kernel_, kernel::MakeTinyVmlinux(
                     {.release = "6.12.117-sched_ext_ops", .config = ""})));
  }

  Finished Verify(std::vector<std::string> args) {
    args.insert(args.begin(), {"verifier", "--scheduler", scheduler_,
                               "--kernel", kernel_, "--output", output_dir_});
    return Run(args);
  }

  std::string scheduler_;
};

TEST_F(VerifierTest, PrintsALineForEachProgram) {
  Finished run = Verify({});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(
      run.out,
      AllOf(HasSubstr("scx_fixture:\n"
                      "  enqueue  verified_insns=100 processed_insns=100 "
                      "total_states=9 peak_states=8 stack=16+8 insns=10 "
                      "type=struct_ops\n"),
            HasSubstr("results: " + output_dir_), Not(HasSubstr("log of"))));
  EXPECT_THAT(ResultFiles(), SizeIs(1));
  EXPECT_THAT(Verify({"--raw"}).out,
              HasSubstr("--- verifier log of enqueue ---\n"
                        "processed 100 insns\n  --- end of log ---\n"));
}

TEST_F(VerifierTest, RejectionIsOneWithTheCollapsedLog) {
  Finished run = Verify({"--scheduler-arg=--reject-load"});
  EXPECT_EQ(run.code, 1) << run.out << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("refused (Permission denied)"),
                             HasSubstr("without its first 7 bytes ---"),
                             HasSubstr("R1 invalid mem access"),
                             HasSubstr("\\x1b[2J"), Not(HasSubstr("\x1b"))));
  EXPECT_FALSE(absl::StrContains(run.out, "R1=50\n"));
  Finished raw = Verify({"--scheduler-arg=--reject-load", "--raw"});
  EXPECT_EQ(raw.code, 1);
  // Not a terminal: byte for byte.
  EXPECT_THAT(raw.out, AllOf(HasSubstr("R1=50\n"), HasSubstr("\x1b[2J")));
}

TEST_F(VerifierTest, WarnsAboutTheBudget) {
  Finished run = Verify({"--scheduler-arg=--huge"});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out,
              HasSubstr("warning: scheduler scx_fixture: the verifier looked "
                        "at 900100 instructions of program enqueue, 90 %"));
}

TEST_F(VerifierTest, AllProfilesAreThoseOfTheFlags) {
  Finished run = Verify({"--all-profiles", "--json"});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  json out = json::parse(run.out, nullptr, false);
  std::set<std::string> profiles;
  for (const json& result : out["results"]) {
    profiles.insert(result["profile"].get<std::string>());
    EXPECT_EQ(result["scheduler"], "scx_fixture");
    EXPECT_EQ(result["outcome"], "PASS");
  }
  EXPECT_THAT(profiles, AllOf(Contains("default"), Contains("llc"),
                              Contains("llc+steal"), Not(Contains("steal"))));
  EXPECT_THAT(Verify({"--all-profiles"}).out,
              AllOf(HasSubstr("scx_fixture [llc+steal]:"),
                    HasSubstr("SCHEDULER    PROFILE")));
}

TEST_F(VerifierTest, AgainstComparesBothWays) {
  // Of which the fake host says more than of any other.
  std::string other = JoinPath(dir_->path(), "scx_other");
  ASSERT_EQ(symlink(Built("ktstrctl/fake_suite").c_str(), other.c_str()), 0);
  Finished run = Verify({"--against", other});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out,
              HasSubstr("PROGRAM   A (scx_fixture)  B (scx_other)  B - A\n"
                        "enqueue   100              110            +10\n"
                        "dispatch  -                110            only B\n"));
  json out =
      json::parse(Verify({"--against", other, "--json"}).out, nullptr, false);
  ASSERT_THAT(out["comparisons"], SizeIs(1));
  EXPECT_EQ(out["comparisons"][0]["programs"][0]["delta"], 10);
  EXPECT_EQ(out["comparisons"][0]["programs"][1]["in_a"], false);
}

TEST_F(VerifierTest, BadInputIsTwoAndStartsNothing) {
  const struct {
    std::vector<std::string> args;
    const char* message;
  } kCases[] = {
      {{"verifier"}, "--scheduler is required"},
      {{"verifier", "--scheduler", "default", "--kernel", kernel_},
       "has no BPF programs"},
      {{"verifier", "--scheduler", "/no/such", "--kernel", kernel_},
       "/no/such"},
      {{"verifier", "--scheduler", scheduler_, "--against", "/no/such",
        "--kernel", kernel_},
       "/no/such"},
      {{"verifier", "--scheduler", suite_, "--all-profiles", "--kernel",
        kernel_},
       "--ktstr-list-flags: ended with exit code 2"},
      {{"verifier", "--scheduler", scheduler_, "--kernel", suite_},
       "cannot run scheduler scx_fixture"},
  };
  for (const auto& bad : kCases) {
    std::vector<std::string> args = bad.args;
    args.insert(args.end(), {"--output", output_dir_});
    Finished run = Run(args);
    EXPECT_EQ(run.code, 2) << bad.message << run.err;
    EXPECT_THAT(run.err, HasSubstr(bad.message));
  }
  EXPECT_THAT(ResultFiles(), SizeIs(0));
}

}  // namespace
}  // namespace ktstr::ktstrctl
