// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/host_run.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::TestDescription Scenario(const std::string& name,
                             std::vector<std::string> required,
                             std::vector<std::string> excluded) {
  v1::TestDescription scenario;
  scenario.set_name(name);
  scenario.mutable_scenario()->set_category("basic");
  for (const std::string& flag : required) {
    scenario.mutable_scenario()->add_required_flags(flag);
  }
  for (const std::string& flag : excluded) {
    scenario.mutable_scenario()->add_excluded_flags(flag);
  }
  return scenario;
}

Catalog Three() {
  return {.program = "",
          .scenarios = {Scenario("plain", {}, {"reject-pin"}),
                        Scenario("stolen", {"steal"}, {}),
                        Scenario("moved", {"borrow"}, {"rebal"})}};
}

// "plain/default", "plain/llc: why it is skipped".
std::vector<std::string> Planned(const HostRunOptions& options) {
  absl::StatusOr<std::vector<HostVariant>> plan = PlanHostRun(Three(), options);
  EXPECT_OK(plan);
  std::vector<std::string> lines;
  for (const HostVariant& variant : *plan) {
    lines.push_back(absl::StrCat(variant.scenario.name(), "/", variant.profile,
                                 variant.skip.empty() ? "" : ": ",
                                 variant.skip));
  }
  return lines;
}

TEST(PlanHostRunTest, AScenarioRunsOnceUnderTheFlagsItIsAbout) {
  EXPECT_THAT(Planned({}),
              ElementsAre("plain/default", "stolen/llc+steal", "moved/borrow"));
}

TEST(PlanHostRunTest, GivenFlagsSkipWhatTheyDoNotFit) {
  EXPECT_THAT(
      Planned({.flags = {"reject-pin", "borrow"}, .has_flags = true}),
      ElementsAre("plain/borrow+reject-pin: makes no sense with the flag "
                  "reject-pin",
                  "stolen/borrow+reject-pin: is about the flag steal",
                  "moved/borrow+reject-pin"));
}

TEST(PlanHostRunTest, AllProfilesAreTheCountsOfTheSpecification) {
  // steal needs llc: 16 of 64 sets; borrow without rebal: 12.
  HostRunOptions options{.scenarios = {"stolen"}, .has_all_profiles = true};
  EXPECT_EQ(Planned(options).size(), 16u);
  options.scenarios = {"moved"};
  std::vector<std::string> moved = Planned(options);
  EXPECT_EQ(moved.size(), 12u);
  EXPECT_TRUE(std::is_sorted(moved.begin(), moved.end()));
}

TEST(PlanHostRunTest, UnknownNamesAreRefused) {
  EXPECT_THAT(PlanHostRun(Three(), {.scenarios = {"plane"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("did you mean plain?")));
  EXPECT_THAT(PlanHostRun(Three(), {.work_type = "Dreaming"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no work type \"Dreaming\"")));
  EXPECT_THAT(PlanHostRun(Three(), {.flags = {"warp"}, .has_flags = true}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("warp")));
}

TEST(CheckHostTest, SaysWhatIsMissing) {
  if (geteuid() != 0) {
    EXPECT_THAT(CheckHost(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                      HasSubstr("need root")));
    return;
  }
  EXPECT_THAT(CheckHost("/tmp"), StatusIs(absl::StatusCode::kFailedPrecondition,
                                          HasSubstr("need cgroup v2 at /tmp")));
}

// Programs of a few lines in place of the catalogue.
class RunOnHostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("host-run-"));
    dir_.emplace(std::move(dir));
    interrupt_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  }

  v1::Variant Run(const std::string& script,
                  std::vector<std::string> flags = {}) {
    const std::string program = JoinPath(dir_->path(), "program");
    EXPECT_OK(WriteFileAtomically(program, "#!/bin/sh\n" + script));
    EXPECT_EQ(chmod(program.c_str(), 0755), 0);
    return RunOnHost(program,
                     {.scenario = Scenario("plain", {}, {}),
                      .profile = "default",
                      .flags = std::move(flags),
                      .skip = ""},
                     {.duration = absl::Milliseconds(1500), .workers = 3},
                     interrupt_.get());
  }

  std::optional<TempDir> dir_;
  UniqueFd interrupt_;
};

TEST_F(RunOnHostTest, TakesTheVerdictFromTheFrames) {
  // TestFrame{verdict{passed: true}}: length 4, field 3 of length 2, field 1.
  v1::Variant passed = Run("printf '\\004\\0\\0\\0\\032\\002\\010\\001' >&3\n");
  EXPECT_EQ(passed.result().outcome(), v1::PASS) << passed.result().reason();
  EXPECT_EQ(passed.spec().name(), "plain/default");
  // skipped and passed, "x".
  v1::Variant skipped = Run(
      "printf '\\011\\0\\0\\0\\032\\007\\010\\001\\020\\001\\032\\001x' >&3\n");
  EXPECT_EQ(skipped.result().outcome(), v1::SKIP);
  EXPECT_EQ(skipped.result().reason(), "x");
}

TEST_F(RunOnHostTest, PassesTheSettingsOn) {
  v1::Variant done =
      Run("[ \"$1 $2 $KTSTR_DURATION_MS $KTSTR_WORKERS $KTSTR_SEED\" = "
          "'--ktstr-run plain 1500 3 1' ] || exit 9\n"
          "printf '\\004\\0\\0\\0\\032\\002\\010\\001' >&3\n");
  EXPECT_EQ(done.result().outcome(), v1::PASS) << done.result().reason();
}

TEST_F(RunOnHostTest, CgroupsHaveTheCpuControllerUnlessTheProfileSaysNo) {
  const std::string script =
      "[ \"$KTSTR_CPU_CONTROLLER\" = 1 ] || exit 9\n"
      "printf '\\004\\0\\0\\0\\032\\002\\010\\001' >&3\n";
  EXPECT_EQ(Run(script).result().outcome(), v1::PASS);
  EXPECT_THAT(Run(script, {"no-ctrl"}).result().reason(),
              HasSubstr("exit code 9"));
}

TEST_F(RunOnHostTest, WithoutAVerdictItIsTheTestsOrTheMachinesFault) {
  v1::Variant died = Run("kill -SEGV $$\n");
  EXPECT_EQ(died.result().outcome(), v1::ERROR);
  EXPECT_THAT(died.result().reason(), HasSubstr("killed by signal 11"));
  EXPECT_EQ(Run("exit 3\n").result().outcome(), v1::MISS);
  EXPECT_EQ(Run("printf '\\377\\377\\377\\377' >&3; exec sleep 100\n")
                .result()
                .outcome(),
            v1::ERROR);
}

TEST_F(RunOnHostTest, AnInterruptEndsIt) {
  uint64_t one = 1;
  ASSERT_EQ(write(interrupt_.get(), &one, sizeof(one)), 8);
  EXPECT_EQ(Run("exec sleep 100\n").result().outcome(), v1::CANCELLED);
}

}  // namespace
}  // namespace ktstr::ktstrctl
