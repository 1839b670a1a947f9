// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The engine with real, short programs and recorded cgroups.
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/cgroup_tree_fake.h"
#include "ktstr/internal/payload_log.h"
#include "ktstr/payload_run.h"
#include "ktstr/scenario.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr Checks kNoChecks = {.not_starved = false};

constexpr PayloadDef kScript =
    PayloadDef{"script"}.program("/bin/sh").json().args({"-c"});
constexpr PayloadDef kChecked =
    PayloadDef{"checked"}.program("/bin/sh").json().args({"-c"}).check(
        PCheck::min("a", 2));
constexpr PayloadDef kStrict = PayloadDef{"strict"}.knows_flags({"known"});

class ScenarioPayloadTest : public ::testing::Test {
 protected:
  ScenarioPayloadTest() {
    for (const std::string& fifo : fifos_) {
      unlink(fifo.c_str());
      EXPECT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    }
  }

  // Prints its result when it is asked to end, as many benchmarks do. Ready()
  // waits until it can be asked.
  std::vector<std::string> Endless(int which = 0) const {
    return {absl::StrCat("trap 'echo \"{\\\"a\\\":1}\"; exit 0' TERM; echo > ",
                         fifos_[which], "; while :; do sleep 0.01; done")};
  }
  Step::Setup Ready(int count = 1) const {
    return [this, count](const Context&) {
      for (int i = 0; i < count; ++i) EXPECT_OK(ReadFile(fifos_[i]));
      return std::vector<Cgroup>();
    };
  }

  Context MakeContext(std::optional<int> sched_pid = std::nullopt) {
    return Context({.topology = &topology_,
                    .cgroups = &cgroups_,
                    .duration = 20ms,
                    .sched_pid = sched_pid,
                    .payloads = &log_});
  }

  Verdict Run(Backdrop backdrop, std::vector<Step> steps,
              std::optional<int> sched_pid = std::nullopt) {
    absl::StatusOr<Verdict> verdict =
        run(MakeContext(sched_pid), backdrop, steps, kNoChecks);
    EXPECT_OK(verdict);
    if (!verdict.ok()) return {};
    log_.AddTo(*verdict);
    return *std::move(verdict);
  }

  // The message of the only finding, which is a mistake in the test.
  std::string Mistake(std::vector<Step> steps) {
    Verdict verdict = Run(Backdrop{}, std::move(steps));
    EXPECT_THAT(verdict.findings, SizeIs(1));
    if (verdict.findings.size() != 1) return "";
    EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
    return verdict.findings[0].message;
  }

  GuestTopology topology_ =
      GuestTopology::FromDeclared(*Topology::Parse("1n1l2c1t"));
  internal::CgroupTreeFake cgroups_;
  internal::PayloadLog log_;
  const std::vector<std::string> fifos_ = {
      absl::StrCat(::testing::TempDir(), "/ready_0"),
      absl::StrCat(::testing::TempDir(), "/ready_1")};
};

TEST_F(ScenarioPayloadTest, WhatAnOpWaitedForIsMeasuredAndChecked) {
  Verdict verdict =
      Run(Backdrop{},
          {Step{}
               .op(Op::add_cgroup("cg_0"))
               .op(Op::run_payload(kChecked, {"echo '{\"a\":1}'"}, "cg_0"))
               .op(Op::wait_payload(kChecked))
               .hold(1ms)});
  EXPECT_THAT(cgroups_.calls(),
              ElementsAre("create cg_0", "move cg_0 1", "remove cg_0"));
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kOther);
  EXPECT_EQ(verdict.findings[0].cgroup, "cg_0");
  EXPECT_EQ(verdict.findings[0].message,
            "step 1 of 1: payload checked: metric a is 1, wanted at least 2");
  ASSERT_THAT(verdict.measurements, SizeIs(1));
  EXPECT_EQ(verdict.measurements[0].name, "cg_0/checked.a");
}

TEST_F(ScenarioPayloadTest, WhatStillRunsIsStoppedWithItsStepAndJudged) {
  Verdict verdict =
      Run(Backdrop{}, {Step{}
                           .op(Op::run_payload(kChecked, Endless()))
                           .setup(Ready())
                           .hold(1ms)});
  // Its results came after SIGTERM.
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("metric a is 1"));
  EXPECT_THAT(verdict.measurements, SizeIs(1));
}

TEST_F(ScenarioPayloadTest, WhatTheBackdropStartedOutlivesSteps) {
  Verdict verdict = Run(Backdrop{}.op(Op::run_payload(kScript, Endless())),
                        {Step{}.setup(Ready()).hold(1ms),
                         Step{}.op(Op::kill_payload(kScript)).hold(1ms),
                         // And can be started again.
                         Step{}
                             .op(Op::run_payload(kScript, {"echo '{\"b\":3}'"}))
                             .op(Op::wait_payload(kScript))
                             .hold(1ms)});
  EXPECT_TRUE(verdict.passed);
  ASSERT_THAT(verdict.measurements, SizeIs(2));
  EXPECT_EQ(verdict.measurements[0].name, "script.a");
  EXPECT_EQ(verdict.measurements[1].name, "script-2.b");
}

TEST_F(ScenarioPayloadTest, ADefinitionRunsItsPayloadInTheCgroup) {
  Verdict verdict =
      Run(Backdrop{}
              .cgroup(Cgroup{"cg_0"}.payload(kScript, Endless(0)))
              .cgroup(Cgroup{"cg_1"}.workers(1).payload(kScript, Endless(1))),
          {Step{}.setup(Ready(2)).hold(1ms)});
  EXPECT_THAT(
      cgroups_.calls(),
      ElementsAre("create cg_0", "move cg_0 1", "create cg_1", "move cg_1 1",
                  "move cg_1 1", "remove cg_1", "remove cg_0"));
  // No workers but those asked for.
  ASSERT_THAT(verdict.groups, SizeIs(1));
  EXPECT_EQ(verdict.groups[0].cgroup, "cg_1");
  EXPECT_THAT(verdict.measurements, SizeIs(2));
}

TEST_F(ScenarioPayloadTest, TheSamePlaceHasItOnce) {
  const Op one = Op::run_payload(kScript, {"sleep 1000"}, "cg_0");
  EXPECT_EQ(
      Mistake({Step{}.op(Op::add_cgroup("cg_0")).op(one).op(one).hold(1ms)}),
      "step 1 of 1: run_payload(script, cg_0): payload \"script\" runs "
      "in cgroup \"cg_0\" already; an op started it");
  EXPECT_THAT(
      Mistake({Step{}
                   .cgroup(Cgroup{"cg_0"}.payload(kScript, {"sleep 1000"}))
                   .hold(Hold::loop(5ms))
                   .op(one)}),
      HasSubstr("runs in cgroup \"cg_0\" already; the definition of the cgroup "
                "started it"));
  const Op outside = Op::run_payload(kScript, {"sleep 1000"});
  EXPECT_THAT(Mistake({Step{}.op(outside).op(outside).hold(1ms)}),
              HasSubstr("runs outside of the test's cgroups already"));
}

TEST_F(ScenarioPayloadTest, AnOpMustMeanOneThatRuns) {
  const std::vector<std::string> endless = {"exec sleep 1000"};
  EXPECT_EQ(Mistake({Step{}
                         .op(Op::add_cgroup("a"))
                         .op(Op::add_cgroup("b"))
                         .op(Op::run_payload(kScript, endless, "b"))
                         .op(Op::run_payload(kScript, endless, "a"))
                         .op(Op::wait_payload(kScript))
                         .hold(1ms)}),
            "step 1 of 1: wait_payload(script): payload \"script\" runs in "
            "cgroup \"a\" and in cgroup \"b\"; say which is meant");
  EXPECT_THAT(Mistake({Step{}.op(Op::kill_payload(kScript)).hold(1ms)}),
              HasSubstr("payload \"script\" does not run"));
  EXPECT_THAT(Mistake({Step{}
                           .op(Op::run_payload(kScript, endless))
                           .op(Op::kill_payload(kScript, "cg_0"))
                           .hold(1ms)}),
              HasSubstr("does not run in cgroup \"cg_0\""));
  EXPECT_THAT(Mistake({Step{}.op(Op::run_payload(kScript, endless)).hold(1ms),
                       Step{}.op(Op::wait_payload(kScript)).hold(1ms)}),
              HasSubstr("step 2 of 2: wait_payload(script): payload \"script\" "
                        "does not run; it was waited for, killed or ended with "
                        "its step before"));
  EXPECT_THAT(
      Mistake(
          {Step{}.op(Op::run_payload(kScript, endless, "nowhere")).hold(1ms)}),
      HasSubstr("there is no cgroup \"nowhere\""));
}

TEST_F(ScenarioPayloadTest, WhatMayNotBeIsRefusedBeforeAnythingRuns) {
  EXPECT_THAT(
      run(MakeContext(), Backdrop{}.op(Op::run_payload(kStrict, {"--other"})),
          {}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("run_payload(strict): payload \"strict\" does not "
                         "know the option --other")));
  EXPECT_THAT(
      run_steps(MakeContext(), {Step{}.op(Op::run_payload(PayloadDef{""}))}),
      StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(run_cgroups(MakeContext(),
                          {Cgroup{"cg_0"}.payload(kStrict, {"--other=1"})}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("run_payload(strict, cg_0)")));
  EXPECT_THAT(cgroups_.calls(), IsEmpty());
}

TEST_F(ScenarioPayloadTest, AProgramThatIsNotThereIsAMistakeOfTheTest) {
  EXPECT_THAT(Mistake({Step{}
                           .op(Op::run_payload(PayloadDef{"no_such_program"}))
                           .hold(1ms)}),
              HasSubstr("there is no program no_such_program on PATH"));
}

TEST_F(ScenarioPayloadTest, EndingACgroupEndsItsPayloads) {
  for (Op end : {Op::stop_cgroup("cg_0"), Op::remove_cgroup("cg_0")}) {
    Verdict verdict = Run(
        Backdrop{}, {Step{}
                         .op(Op::add_cgroup("cg_0"))
                         .op(Op::run_payload(kScript, {"sleep 1000"}, "cg_0"))
                         .op(end)
                         .op(Op::wait_payload(kScript))
                         .hold(1ms)});
    ASSERT_THAT(verdict.findings, SizeIs(1));
    EXPECT_THAT(verdict.findings[0].message, HasSubstr("does not run"));
  }
}

TEST_F(ScenarioPayloadTest, AFrozenPayloadIsThawedToBeEnded) {
  Run(Backdrop{}, {Step{}
                       .op(Op::add_cgroup("cg_0"))
                       .op(Op::run_payload(kScript, {"sleep 1000"}, "cg_0"))
                       .op(Op::freeze("cg_0"))
                       .hold(1ms)});
  EXPECT_THAT(cgroups_.calls(),
              ElementsAre("create cg_0", "move cg_0 1", "freeze cg_0",
                          "thaw cg_0", "remove cg_0"));
}

TEST_F(ScenarioPayloadTest, SeveralAreStoppedAtTheSameTime) {
  PayloadDef stubborn = kScript.stopped_by({.grace = 1s});
  Step step;
  for (int i = 0; i < 6; ++i) {
    const std::string cgroup = absl::StrCat("cg_", i);
    step.op(Op::add_cgroup(cgroup))
        .op(Op::run_payload(stubborn, {"trap '' TERM; sleep 1000"}, cgroup));
  }
  step.hold(300ms);
  const absl::Duration before = RealClock().Monotonic();
  EXPECT_TRUE(Run(Backdrop{}, {step}).passed);
  EXPECT_LT(RealClock().Monotonic() - before, absl::Seconds(5));
}

TEST_F(ScenarioPayloadTest, AWaitEndsWithTheScheduler) {
  ASSERT_OK_AND_ASSIGN(Subprocess scheduler,
                       Subprocess::Start({.argv = {"sleep", "0.2"}}));
  Verdict verdict = Run(Backdrop{},
                        {Step{}
                             .op(Op::run_payload(kScript, {"exec sleep 1000"}))
                             .op(Op::wait_payload(kScript))
                             .hold(1ms)},
                        scheduler.pid());
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kSchedulerDied);
}

TEST_F(ScenarioPayloadTest, KillMayBeToldHow) {
  Verdict verdict =
      Run(Backdrop{}.op(Op::run_payload(kScript, Endless())),
          {Step{}.setup(Ready()).hold(1ms),
           Step{}
               .op(Op::kill_payload(kScript, "", PayloadStop::at_once()))
               .hold(1ms)});
  EXPECT_TRUE(verdict.passed);
  EXPECT_THAT(verdict.measurements, IsEmpty());
}

}  // namespace
}  // namespace ktstr
