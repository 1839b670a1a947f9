// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a test and its scheduler declare, in a guest: one submission of
// tests/guest/setup.cc.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SetupTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    run_ = new SubmitRun(Submit({Program("setup")}));
  }
  static void TearDownTestSuite() {
    delete run_;
    run_ = nullptr;
  }
  static SubmitRun* run_;
};

SubmitRun* SetupTest::run_ = nullptr;

TEST_F(SetupTest, GuestIsAsDeclared) {
  VariantResult result = run_->Of("is_as_declared");
  EXPECT_EQ(result.outcome, "PASS") << result.reason << result.finding_text;
  EXPECT_EQ(result.scheduler, "tuned");
  EXPECT_EQ(result.file["scheduler_setup"]["cgroup_parent"], "/cells/inner");
}

TEST_F(SetupTest, SysctlThatTheKernelDoesNotHaveIsAnError) {
  VariantResult result = run_->Of("unknown_sysctl");
  EXPECT_EQ(result.outcome, "ERROR");
  EXPECT_THAT(result.finding_kinds, Contains("SETUP_FAILED"));
  EXPECT_THAT(result.reason, AllOf(HasSubstr("sysctl kernel.no_such_thing"),
                                   HasSubstr("does not have")));
}

TEST_F(SetupTest, WriteThatTheKernelRefusesIsAnErrorWithTheFile) {
  VariantResult result = run_->Of("refused_write");
  EXPECT_EQ(result.outcome, "ERROR");
  EXPECT_THAT(result.finding_kinds, Contains("SETUP_FAILED"));
  EXPECT_THAT(result.reason,
              AllOf(HasSubstr("/sys/kernel/debug/sched/features"),
                    HasSubstr("NO_SUCH_FEATURE")));
}

TEST_F(SetupTest, MapIsWrittenBeforeTheTestBegins) {
  VariantResult result = run_->Of("map_write_arrives");
  EXPECT_EQ(result.outcome, "PASS") << result.reason << result.finding_text;
  EXPECT_EQ(result.scheduler_exit, "ERROR_BPF");
  EXPECT_EQ(result.file["bpf_map_writes"][0]["map_suffix"], ".bss");
  EXPECT_EQ(result.file["bpf_map_writes"][0]["value"], 1);
}

TEST_F(SetupTest, MapWritesThatCannotBeAreAnErrorThatNamesEach) {
  VariantResult result = run_->Of("map_write_fails");
  EXPECT_EQ(result.outcome, "ERROR");
  EXPECT_THAT(result.finding_kinds, ElementsAre("SETUP_FAILED"));
  EXPECT_THAT(
      result.reason,
      AllOf(HasSubstr("bpf_map_write into scheduler scx_fixture: 5 of 6 not "
                      "done: \".nosuch\" at 0: no map's name ends so; "
                      "\".rodata\" at 0: map fixture_.rodata is frozen"),
            HasSubstr("\"data\" at 0: the names of 2 maps end so: "),
            HasSubstr("\".bss\" at 1048576: the value of map fixture_.bss has "
                      "only "),
            HasSubstr("\"exits\" at 0: map exits is no array but of type "
                      "ringbuf"),
            HasSubstr("its maps: "), HasSubstr("fixture_.data (array, "),
            HasSubstr("task_states (task_storage, ")));
  for (const auto& evidence : result.file["phases"]) {
    EXPECT_NE(evidence["phase"], "WORKLOAD_STARTED");
  }
}

TEST_F(SetupTest, ArgumentsArriveInOrderAndWhole) {
  VariantResult result = run_->Of("arguments_are_kept");
  EXPECT_EQ(result.outcome, "FAIL") << result.reason;
  EXPECT_THAT(result.finding_kinds, Contains("SCHEDULER_DIED"));
  EXPECT_THAT(result.scheduler_log,
              HasSubstr("argument [--config]\n"
                        "config: cells: [a b]\n"
                        "argument [/include-files/says_arguments.conf]\n"
                        "argument [--cell-parent-cgroup]\n"
                        "controllers: cpuset cpu memory pids\n"
                        "argument [/cells]\n"
                        "argument [--spaces and \\'single\\']\n"
                        "argument [\\\"double\\\"\\nsecond line]\n"
                        "argument []\n"
                        "argument [--extra $HOME]\n"
                        "argument [--loud]\n"
                        "argument [very much]\n"));
  EXPECT_EQ(result.file["scheduler_origin"], "BESIDE_SUITE");
  EXPECT_EQ(result.file["scheduler_found_at"], Program("says_arguments"));
}

}  // namespace
}  // namespace ktstr::e2e
