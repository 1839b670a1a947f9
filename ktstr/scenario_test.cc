// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The engine with real, short-lived workers and recorded cgroups.
#include "ktstr/scenario.h"

#include <unistd.h>

#include <algorithm>
#include <limits>

#include "base/clock.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/cgroup_tree_fake.h"
#include "ktstr/internal/cpu_hotplug.h"
#include "ktstr/internal/scheduler_control.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

// Shared CPUs may starve a short run: what is judged is named by the test.
constexpr Checks kNoChecks = {.not_starved = false};

class CpuHotplugFake : public CpuHotplug {
 public:
  absl::Status SetOnline(int cpu, bool is_online) override {
    calls.push_back((is_online ? "online " : "offline ") + std::to_string(cpu));
    return is_online ? back : absl::OkStatus();
  }
  std::vector<std::string> calls;
  absl::Status back;  // what bringing one back answers
};

// Schedulers that are not there: this very process is the one attached.
class SchedulerControlFake : public SchedulerControl {
 public:
  absl::Status Attach(const Args& args) override {
    calls.push_back("attach" + (args ? " " + args->at(0) : ""));
    pid_ = getpid();
    return next;
  }
  absl::Status Detach() override {
    calls.push_back("detach");
    pid_.reset();
    return next;
  }
  absl::Status Replace(const Args& args) override {
    calls.push_back("replace" + (args ? " " + args->at(0) : ""));
    return next;
  }
  std::optional<int> pid() const override { return pid_; }

  std::vector<std::string> calls;
  absl::Status next;

 private:
  std::optional<int> pid_ = getpid();
};

class ScenarioTest : public ::testing::Test {
 protected:
  Context MakeContext(ContextParts parts = {}) {
    parts.topology = &topology_;
    parts.cgroups = &cgroups_;
    parts.on_stimulus = [this](const StimulusRecord& record) {
      stimuli_.push_back(record);
    };
    if (parts.duration == 1s) parts.duration = 20ms;
    return Context(std::move(parts));
  }

  Verdict Run(Backdrop backdrop, std::vector<Step> steps,
              Checks checks = kNoChecks, ContextParts parts = {}) {
    absl::StatusOr<Verdict> verdict =
        run(MakeContext(std::move(parts)), backdrop, steps, checks);
    EXPECT_OK(verdict);
    return verdict.ok() ? *verdict : Verdict{};
  }

  std::vector<std::string> Calls() const { return cgroups_.calls(); }

  GuestTopology topology_ =
      GuestTopology::FromDeclared(*Topology::Parse("1n2l4c1t"));
  internal::CgroupTreeFake cgroups_;
  std::vector<StimulusRecord> stimuli_;
};

TEST_F(ScenarioTest, CgroupsAreMadeFilledJudgedAndRemoved) {
  absl::StatusOr<Verdict> verdict =
      run_cgroups(MakeContext(),
                  {Cgroup{"cg_0"}.cpus(CpuSet::disjoint(0, 2)),
                   Cgroup{"cg_1"}.workers(2).type(WorkType::yield_heavy())},
                  kNoChecks);
  ASSERT_OK(verdict);
  EXPECT_TRUE(verdict->passed);
  EXPECT_THAT(Calls(), ElementsAre("create cg_0", "cpuset cg_0 0-2",
                                   "move cg_0 1", "create cg_1", "move cg_1 2",
                                   "remove cg_1", "remove cg_0"));
  ASSERT_THAT(verdict->groups, SizeIs(2));
  EXPECT_EQ(verdict->groups[0].cgroup, "cg_0");
  EXPECT_EQ(verdict->groups[0].work, "CpuSpin");
  EXPECT_EQ(verdict->groups[1].work, "YieldHeavy");
  EXPECT_EQ(verdict->groups[1].workers, 2);
}

TEST_F(ScenarioTest, WhoSubmitsMayHaveSwappableCgroupsDoSomethingElse) {
  auto works = [this](const char* type) {
    ContextParts parts;
    parts.work_type = *WorkType::ByName(type);
    Verdict verdict = Run(
        Backdrop{}
            .cgroup(Cgroup{"plain"})
            .cgroup(Cgroup{"swapped"}.swappable())
            .cgroup(
                Cgroup{"pair"}.swappable().workers(2).type(WorkType::mixed()))
            .cgroup(Cgroup{"threads"}.swappable().work(
                Work{}.workers(2).threads(2)))
            .op(Op::add_cgroup("spawned"))
            .op(Op::spawn("spawned", Work{})),
        {Step{}.hold(1ms)}, kNoChecks, std::move(parts));
    std::vector<std::string> names;
    for (const GroupStats& group : verdict.groups) {
      names.push_back(group.cgroup + ": " + group.work);
    }
    return names;
  };
  EXPECT_THAT(works("YieldHeavy"),
              UnorderedElementsAre("plain: CpuSpin", "swapped: YieldHeavy",
                                   "pair: YieldHeavy", "threads: YieldHeavy",
                                   "spawned: CpuSpin"));
  // Only whole pairs, of processes.
  EXPECT_THAT(
      works("PipeIo"),
      UnorderedElementsAre("plain: CpuSpin", "swapped: CpuSpin", "pair: PipeIo",
                           "threads: CpuSpin", "spawned: CpuSpin"));
}

TEST_F(ScenarioTest, WhatAStepMadeEndsWithItAndTheBackdropStays) {
  Run(Backdrop{}.cgroup(Cgroup{"base"}),
      {Step{}.cgroup(Cgroup{"one"}).hold(1ms), Step{}.hold(1ms)});
  EXPECT_THAT(Calls(), ElementsAre("create base", "move base 1", "create one",
                                   "move one 1", "remove one", "remove base"));
}

TEST_F(ScenarioTest, NamingACgroupOfAnEarlierStepSaysSo) {
  Verdict verdict = Run(
      Backdrop{}, {Step{}.op(Op::add_cgroup("one")).hold(1ms),
                   Step{}.op(Op::set_cpuset("one", CpuSet::llc(0))).hold(1ms)});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
  EXPECT_THAT(verdict.findings[0].message,
              HasSubstr("step 2 of 2: set_cpuset(one, llc(0)): cgroup \"one\" "
                        "belonged to an earlier step"));
}

TEST_F(ScenarioTest, AFailingStepEndsTheScenarioAndCleansUp) {
  cgroups_.FailOn("cpuset base", absl::DeadlineExceededError("kernel hangs"));
  Verdict verdict =
      Run(Backdrop{}.cgroup(Cgroup{"base"}),
          {Step{}.op(Op::set_cpuset("base", CpuSet::llc(1))).hold(1ms),
           Step{}.op(Op::add_cgroup("never")).hold(1ms)});
  EXPECT_FALSE(verdict.passed);
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kOther);
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("step 1 of 2"));
  EXPECT_THAT(Calls(), Contains("remove base"));
  EXPECT_THAT(Calls(), ::testing::Not(Contains("create never")));
  EXPECT_TRUE(cgroups_.existing().empty());
}

TEST_F(ScenarioTest, ABackdropThatFailsSaysBackdrop) {
  Verdict verdict = Run(Backdrop{}.cgroup(Cgroup{"a"}).cgroup(Cgroup{"a"}), {});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_THAT(verdict.findings[0].message,
              HasSubstr("Backdrop setup: cgroup a: there is a cgroup \"a\""));
  EXPECT_TRUE(cgroups_.existing().empty());
}

TEST_F(ScenarioTest, HoldsAreCheckedBeforeAnythingRuns) {
  Context ctx = MakeContext();
  for (Hold hold : {Hold::frac(0), Hold::frac(-1),
                    Hold::frac(std::numeric_limits<double>::infinity()),
                    Hold::fixed(0ns), Hold::fixed(-1ms), Hold::loop(0ns)}) {
    EXPECT_THAT(
        run_steps(ctx, {Step{}.op(Op::add_cgroup("a")).hold(hold)}).status(),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("step 1")));
  }
  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ScenarioTest, FixedAndFractionHoldsLastAsLongAsTheySay) {
  absl::Duration start = RealClock().Monotonic();
  Run(Backdrop{}, {Step{}.hold(30ms), Step{}.hold(Hold::frac(1.5))});
  EXPECT_GE(RealClock().Monotonic() - start, absl::Milliseconds(60));
}

TEST_F(ScenarioTest, EveryStepLeavesAStimulus) {
  Run(Backdrop{}.cgroup(Cgroup{"base"}.workers(2)),
      {Step{}
           .op(Op::add_cgroup("x"))
           .op(Op::clear_cpuset("x"))
           .hold(1ms)
           .label("first"),
       Step{}.hold(1ms)});
  ASSERT_THAT(stimuli_, SizeIs(3));
  EXPECT_EQ(stimuli_[0].label, "first");
  EXPECT_EQ(stimuli_[0].op_kinds, 0b1001u);
  EXPECT_EQ(stimuli_[0].ops, 2);
  EXPECT_EQ(stimuli_[0].cgroups, 2);
  EXPECT_EQ(stimuli_[0].workers, 2);
  EXPECT_EQ(stimuli_[1].step, 1);
  EXPECT_EQ(stimuli_[1].cgroups, 1);
  EXPECT_FALSE(stimuli_[1].is_end);
  EXPECT_TRUE(stimuli_[2].is_end);
  EXPECT_EQ(stimuli_[2].step, 2);
  EXPECT_EQ(stimuli_[2].cgroups, 1);
  EXPECT_GE(stimuli_[2].elapsed, stimuli_[1].elapsed + 1ms);
}

// Workers of a step are gone when the next begins; what they did is not.
TEST_F(ScenarioTest, StimuliTellWhatWasDoneSinceTheOneBefore) {
  Run(Backdrop{}, {Step{}.cgroup(Cgroup{"a"}).hold(30ms), Step{}.hold(1ms)});
  ASSERT_THAT(stimuli_, SizeIs(3));
  EXPECT_GT(stimuli_[1].ended_iterations, stimuli_[0].total_iterations);
  EXPECT_EQ(stimuli_[1].total_iterations, 0);
  EXPECT_EQ(stimuli_[2].ended_iterations, 0);
}

TEST_F(ScenarioTest, ScenariosThatFailHaveNoEnd) {
  Run(Backdrop{}, {Step{}.hold(1ms), Step{}.op(Op::freeze("x")).hold(1ms)});
  ASSERT_THAT(stimuli_, SizeIs(1));
  EXPECT_FALSE(stimuli_[0].is_end);
}

TEST_F(ScenarioTest, PassesOfALoopAreRecordedUpToALimit) {
  ContextParts parts{.duration = 1500ms};
  Run(Backdrop{}, {Step{}.hold(Hold::loop(100us))}, kNoChecks, parts);
  // The passes, and the end.
  EXPECT_LE(stimuli_.size(), 1001u);
  EXPECT_GT(stimuli_.size(), 2u);
}

TEST_F(ScenarioTest, PhasesAreCompared) {
  // Half of the time of the second phase, the worker is frozen (by word only:
  // it goes on): twice the rate.
  const Backdrop backdrop = Backdrop{}.cgroup(Cgroup{"a"}.workers(1));
  const std::vector<Step> steps = {
      Step{}.hold(100ms).label("before"),
      Step{}.hold(50ms).label("after"),
      Step{}.op(Op::freeze("a")).hold(50ms).label("after"),
  };
  Relative rate =
      Relative{}.metric(Metric::kIterationRate).of("after").against("before");
  absl::StatusOr<Verdict> verdict =
      run(MakeContext(), backdrop, steps, kNoChecks,
          {Relative(rate).at_least(0.01), Relative(rate).at_most(1e-6),
           Relative(rate).at_least(1e6).cgroup("a"),
           Relative(rate).at_least(0).cgroup("b"),
           Relative(rate).at_least(0).of("never")});
  ASSERT_OK(verdict);
  std::vector<FindingKind> kinds;
  for (const Finding& finding : verdict->findings) {
    kinds.push_back(finding.kind);
  }
  EXPECT_THAT(
      kinds,
      ElementsAre(FindingKind::kBenchmark, FindingKind::kBenchmark,
                  FindingKind::kNotEvaluated, FindingKind::kNotEvaluated))
      << verdict->findings[0].message;
  EXPECT_THAT(verdict->findings[0].message,
              HasSubstr("iteration rate in \"after\" is"));
}

TEST_F(ScenarioTest, ComparisonsAreCheckedBeforeAnythingRuns) {
  EXPECT_THAT(run(MakeContext(), Backdrop{}.cgroup(Cgroup{"a"}), {}, kNoChecks,
                  {Relative{}.of("x").against("y")})
                  .status(),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ScenarioTest, ChecksOfAStepJudgeItsOwnWorkersAndThePhase) {
  Verdict verdict = Run(Backdrop{}.cgroup(Cgroup{"base"}.workers(1)),
                        {Step{}.hold(10ms),
                         Step{}
                             .cgroup(Cgroup{"own"}.workers(1))
                             .checks({.min_iteration_rate = 1e12})
                             .hold(10ms),
                         Step{}.cgroup(Cgroup{"later"}.workers(1)).hold(10ms)});
  ASSERT_THAT(verdict.findings, SizeIs(2));
  EXPECT_EQ(verdict.findings[0].cgroup, "base");
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("step 2 of 3: worker "));
  EXPECT_EQ(verdict.findings[1].cgroup, "own");
}

TEST_F(ScenarioTest, ChecksOfAStepThatNothingWasJudgedByFail) {
  const std::vector<Step> steps = {
      Step{}.checks({.max_p99_wake_latency_ns = 1}).hold(5ms)};
  Verdict verdict = Run(Backdrop{}.cgroup(Cgroup{"base"}.workers(1)), steps);
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kNotEvaluated);
  EXPECT_THAT(verdict.findings[0].message,
              HasSubstr("step 1 of 1: max_p99_wake_latency_ns is set but"));
  verdict = Run(Backdrop{}.cgroup(Cgroup{"base"}.workers(1)), steps,
                {.not_starved = false, .tolerate_not_evaluated = true});
  EXPECT_TRUE(verdict.passed);
}

TEST_F(ScenarioTest, LoopsRepeatTheirOpsAndLeaveAStimulusEach) {
  Verdict verdict = Run(Backdrop{}, {Step{}
                                         .op(Op::remove_cgroup("x"))
                                         .op(Op::add_cgroup("x"))
                                         .hold(Hold::loop(5ms))});
  EXPECT_TRUE(verdict.passed);
  EXPECT_GE(stimuli_.size(), 2u);
  EXPECT_LE(stimuli_.size(), 5u);
  std::vector<std::string> calls = Calls();
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "create x"),
            static_cast<int>(stimuli_.size()) - 1);
}

TEST_F(ScenarioTest, ALoopAfterTheDurationDoesNothing) {
  Run(Backdrop{}, {Step{}.hold(40ms),
                   Step{}.op(Op::add_cgroup("x")).hold(Hold::loop(1ms))});
  EXPECT_THAT(stimuli_, SizeIs(2));
  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ScenarioTest, StepsCannotEndWhatTheBackdropOwns) {
  for (const Op& op : {Op::remove_cgroup("base"), Op::stop_cgroup("base")}) {
    Verdict verdict =
        Run(Backdrop{}.op(Op::add_cgroup("base")), {Step{}.op(op).hold(1ms)});
    ASSERT_THAT(verdict.findings, SizeIs(1));
    EXPECT_THAT(verdict.findings[0].message, HasSubstr("Backdrop"));
  }
}

TEST_F(ScenarioTest, RemovedNamesCanBeUsedAgain) {
  Verdict verdict = Run(Backdrop{}, {Step{}
                                         .op(Op::add_cgroup("x"))
                                         .op(Op::remove_cgroup("x"))
                                         .op(Op::add_cgroup("x"))
                                         .op(Op::remove_cgroup("unknown"))
                                         .hold(1ms)});
  EXPECT_TRUE(verdict.passed);
}

TEST_F(ScenarioTest, WorkersStoppedByOpsAreJudged) {
  Verdict verdict = Run(Backdrop{}, {Step{}
                                         .op(Op::add_cgroup("x"))
                                         .op(Op::spawn("x", Work{}))
                                         .op(Op::stop_cgroup("x"))
                                         .op(Op::spawn_host(Work{}))
                                         .hold(1ms)});
  ASSERT_THAT(verdict.groups, SizeIs(2));
  EXPECT_EQ(verdict.groups[0].cgroup, "x");
  EXPECT_EQ(verdict.groups[1].cgroup, "");
  EXPECT_THAT(Calls(),
              ElementsAre("create x", "move x 1", "move  1", "remove x"));
}

TEST_F(ScenarioTest, NestedCgroupsGoDeepestFirstWithTheirParents) {
  Run(Backdrop{},
      {Step{}.op(Op::add_cgroup("a/b/c")).op(Op::add_cgroup("z")).hold(1ms)});
  EXPECT_THAT(Calls(), ElementsAre("create a/b/c", "create z", "remove a/b/c",
                                   "remove a/b", "remove z", "remove a"));
  EXPECT_TRUE(cgroups_.existing().empty());
}

TEST_F(ScenarioTest, SwapWritesEachSetOntoTheOther) {
  Run(Backdrop{}
          .op(Op::add_cgroup("a"))
          .op(Op::add_cgroup("b"))
          .op(Op::set_cpuset("a", CpuSet::llc(0))),
      {Step{}.op(Op::swap_cpusets("a", "b")).hold(1ms)});
  EXPECT_THAT(Calls(), Contains("cpuset b 0-3"));
  EXPECT_THAT(Calls(), ::testing::Not(Contains("cpuset a ")));
}

TEST_F(ScenarioTest, CpuSharesAreSetBeforeWorkersCome) {
  Run(Backdrop{}, {Step{}
                       .cgroup(Cgroup{"a"}.weight(50).cpu_max(20ms).idle())
                       .op(Op::add_cgroup("b"))
                       .op(Op::set_weight("b", 10000))
                       .op(Op::set_cpu_max("b", {.quota = 1ms, .period = 1s}))
                       .op(Op::set_cpu_max("b", {}))
                       .op(Op::set_idle("b", false))
                       .hold(1ms)});
  EXPECT_THAT(Calls(),
              ElementsAre("create b", "weight b 10000", "max b 1000/1000000",
                          "max b max/100000", "idle b 0", "create a",
                          "weight a 50", "max a 20000/100000", "idle a 1",
                          "move a 1", "remove a", "remove b"));
}

TEST_F(ScenarioTest, ImpossibleCpuSharesAreTheTestsMistake) {
  const struct {
    Op op;
    const char* message;
  } kCases[] = {
      {Op::set_weight("a", 0), "weight of 0 is not from 1 to 10000"},
      {Op::set_weight("a", 10001), "weight of 10001"},
      {Op::set_cpu_max("a", {.quota = 999us}), "quota of 999 us"},
      {Op::set_cpu_max("a", {.period = 999us}), "period of 999 us"},
      {Op::set_cpu_max("a", {.period = 1000001us}), "period of 1000001 us"},
      {Op::freeze("x"), "there is no cgroup \"x\""},
      {Op::thaw("x"), "there is no cgroup \"x\""},
      {Op::set_idle("x"), "there is no cgroup \"x\""},
  };
  for (const auto& c : kCases) {
    Verdict verdict =
        Run(Backdrop{}.op(Op::add_cgroup("a")), {Step{}.op(c.op).hold(1ms)});
    ASSERT_THAT(verdict.findings, SizeIs(1)) << c.message;
    EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
    EXPECT_THAT(verdict.findings[0].message, HasSubstr(c.message));
  }
}

TEST_F(ScenarioTest, FrozenTimeIsToldOfTheWorkersBelow) {
  Verdict verdict =
      Run(Backdrop{}
              .cgroup(Cgroup{"a/b"}.workers(1))
              .cgroup(Cgroup{"c"}.workers(1)),
          {Step{}.hold(5ms), Step{}.op(Op::freeze("a")).hold(30ms),
           Step{}.op(Op::thaw("a")).hold(30ms)});
  EXPECT_THAT(Calls(), Contains("freeze a"));
  EXPECT_THAT(Calls(), Contains("thaw a"));
  ASSERT_THAT(verdict.groups, SizeIs(2));
  EXPECT_GE(verdict.groups[0].frozen_ms.value_or(0), 30);
  EXPECT_FALSE(verdict.groups[1].frozen_ms.has_value());
}

TEST_F(ScenarioTest, AFrozenCgroupIsThawedForCollecting) {
  Run(Backdrop{}.cgroup(Cgroup{"a"}),
      {Step{}.op(Op::freeze("a")).hold(1ms), Step{}.hold(1ms)});
  EXPECT_THAT(Calls(), ElementsAre("create a", "move a 1", "freeze a", "thaw a",
                                   "remove a"));
}

TEST_F(ScenarioTest, LeavingAFrozenCgroupEndsTheFrozenTime) {
  Verdict verdict = Run(Backdrop{}.cgroup(Cgroup{"a"}).op(Op::add_cgroup("b")),
                        {Step{}.op(Op::freeze("a")).hold(20ms),
                         Step{}.op(Op::move_all_tasks("a", "b")).hold(100ms)});
  EXPECT_THAT(Calls(), ::testing::Not(Contains("thaw b")));
  ASSERT_THAT(verdict.groups, SizeIs(1));
  EXPECT_GE(verdict.groups[0].frozen_ms.value_or(0), 20);
  EXPECT_LT(verdict.groups[0].frozen_ms.value_or(0), 100);
}

TEST_F(ScenarioTest, ThrottledTimeComesFromTheCgroup) {
  cgroups_.set_throttled(absl::Milliseconds(7));
  Verdict verdict = Run(
      Backdrop{},
      {Step{}.cgroup(Cgroup{"a"}.cpu_max(10ms)).cgroup(Cgroup{"b"}).hold(1ms)});
  ASSERT_THAT(verdict.groups, SizeIs(2));
  // What had been before the workers came is not theirs.
  EXPECT_FALSE(verdict.groups[0].throttled_ms.has_value());
  EXPECT_FALSE(verdict.groups[1].throttled_ms.has_value());
  verdict = Run(Backdrop{}.cgroup(Cgroup{"a"}),
                {Step{}.op(Op::set_cpu_max("a", {.quota = 10ms})).hold(1ms)});
  EXPECT_EQ(verdict.groups[0].throttled_ms, 7);
}

TEST_F(ScenarioTest, AFailedFreezeLeavesNobodyFrozen) {
  cgroups_.FailOn("freeze a", absl::DeadlineExceededError("still running"));
  Verdict verdict = Run(Backdrop{}.cgroup(Cgroup{"a"}),
                        {Step{}.op(Op::freeze("a")).hold(1ms)});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kOther);
  EXPECT_THAT(Calls(), Contains("thaw a"));
  EXPECT_FALSE(verdict.groups[0].frozen_ms.has_value());
}

TEST_F(ScenarioTest, MovedTasksChangeTheirCgroup) {
  Verdict verdict = Run(Backdrop{}.cgroup(Cgroup{"a"}).op(Op::add_cgroup("b")),
                        {Step{}.op(Op::move_all_tasks("a", "b")).hold(1ms)});
  EXPECT_THAT(Calls(), Contains("move b 1"));
  ASSERT_THAT(verdict.groups, SizeIs(1));
  EXPECT_EQ(verdict.groups[0].cgroup, "b");
}

TEST_F(ScenarioTest, BackdropWorkersCannotMoveIntoAStep) {
  Verdict verdict =
      Run(Backdrop{}.cgroup(Cgroup{"a"}), {Step{}
                                               .op(Op::add_cgroup("b"))
                                               .op(Op::move_all_tasks("a", "b"))
                                               .hold(1ms)});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("ends with this step"));
}

TEST_F(ScenarioTest, IsolationSeesWorkersOutsideTheirCpuset) {
  // The fake does not move anybody: a set of CPUs this machine does not run
  // the worker on is broken at once.
  Verdict verdict =
      Run(Backdrop{},
          {Step{}
               .cgroup(Cgroup{"a"}.cpus(CpuSet::exact({7})).workers(1))
               .hold(200ms)},
          {.not_starved = false, .isolation = true});
  if (sysconf(_SC_NPROCESSORS_ONLN) > 7) GTEST_SKIP() << "CPU 7 exists here";
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kIsolation);
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("cpuset was 7"));
}

// The cpuset is the Backdrop's, the worker the step's.
TEST_F(ScenarioTest, WorkersOfAStepAreHeldToTheCpusetOfTheBackdrop) {
  if (sysconf(_SC_NPROCESSORS_ONLN) > 7) GTEST_SKIP() << "CPU 7 exists here";
  Verdict verdict =
      Run(Backdrop{}
              .op(Op::add_cgroup("base"))
              .op(Op::set_cpuset("base", CpuSet::exact({7}))),
          {Step{}.op(Op::spawn("base", Work{}.workers(1))).hold(200ms)},
          {.not_starved = false, .isolation = true});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kIsolation);
  EXPECT_EQ(verdict.findings[0].cgroup, "base");
}

TEST_F(ScenarioTest, AThresholdNothingWasJudgedByFails) {
  Verdict verdict = Run(Backdrop{}, {Step{}.cgroup(Cgroup{"a"}).hold(1ms)},
                        {.not_starved = false, .isolation = true});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kNotEvaluated);
  EXPECT_FALSE(verdict.passed);
}

TEST_F(ScenarioTest, AnImpossibleWorkerCountIsTheTestsMistake) {
  Verdict verdict =
      Run(Backdrop{}, {Step{}.cgroup(Cgroup{"a"}.workers(0)).hold(1ms)});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
}

TEST_F(ScenarioTest, AMemoryPolicyBesideTheCpusetIsTheTestsMistake) {
  Verdict verdict =
      Run(Backdrop{}, {Step{}
                           .cgroup(Cgroup{"a"}
                                       .cpus(CpuSet::exact({0}))
                                       .memory(MemPolicy::bind({3})))
                           .hold(1ms)});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("bind(3): node 3"));
}

TEST_F(ScenarioTest, AnEmptyCpusetIsTheTestsMistake) {
  Verdict verdict =
      Run(Backdrop{},
          {Step{}.cgroup(Cgroup{"a"}.cpus(CpuSet::range(0, 0.01))).hold(1ms)});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kTestBodyError);
  EXPECT_THAT(Calls(), ElementsAre("create a", "remove a"));
}

TEST_F(ScenarioTest, ADyingSchedulerEndsTheHoldAtOnce) {
  ASSERT_OK_AND_ASSIGN(Subprocess scheduler,
                       Subprocess::Start({.argv = {"sleep", "0.2"}}));
  absl::Duration start = RealClock().Monotonic();
  Verdict verdict = Run(Backdrop{}, {Step{}.hold(60s), Step{}.hold(60s)},
                        kNoChecks, {.sched_pid = scheduler.pid()});
  EXPECT_LT(RealClock().Monotonic() - start, absl::Seconds(30));
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kSchedulerDied);
  EXPECT_THAT(verdict.findings[0].message,
              HasSubstr("scheduler process died, noticed during step 1 of 2"));
}

TEST_F(ScenarioTest, ALivingSchedulerChangesNothing) {
  Verdict verdict = Run(Backdrop{}, {Step{}.hold(2ms)}, kNoChecks,
                        {.sched_pid = static_cast<int>(getpid())});
  EXPECT_TRUE(verdict.passed);
}

TEST_F(ScenarioTest, CpusComeBackAtTheEnd) {
  CpuHotplugFake cpus;
  Verdict verdict = Run(Backdrop{},
                        {Step{}
                             .op(Op::offline_cpu(3))
                             .op(Op::offline_cpu(3))
                             .op(Op::offline_cpu(1))
                             .op(Op::online_cpu(2))
                             .hold(1ms),
                         Step{}.op(Op::online_cpu(1)).hold(1ms)},
                        kNoChecks, {.cpus = &cpus});
  EXPECT_TRUE(verdict.passed);
  EXPECT_THAT(cpus.calls,
              ElementsAre("offline 3", "offline 1", "online 1", "online 3"));
}

TEST_F(ScenarioTest, ACpuThatDoesNotComeBackIsAFinding) {
  CpuHotplugFake cpus;
  cpus.back = absl::InternalError("stuck");
  Verdict verdict = Run(Backdrop{}.op(Op::offline_cpu(3)),
                        {Step{}.op(Op::set_idle("nothing")).hold(1ms)},
                        kNoChecks, {.cpus = &cpus});
  ASSERT_THAT(verdict.findings, SizeIs(2));
  EXPECT_EQ(verdict.findings[1].message, "CPU 3 cannot be brought back: stuck");
}

TEST_F(ScenarioTest, CpusThatCannotBeSwitchedAreRefusedBeforeAnythingRuns) {
  CpuHotplugFake cpus;
  Context ctx = MakeContext({.cpus = &cpus});
  for (int cpu : {-1, 0, 8}) {
    EXPECT_THAT(run_steps(ctx, {Step{}.op(Op::offline_cpu(cpu))}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("not one of the CPUs 0-7")));
  }
  EXPECT_THAT(
      run_steps(MakeContext(), {Step{}.op(Op::offline_cpu(1))}).status(),
      StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(cpus.calls, IsEmpty());
}

// What is left of a cpuset is what its workers are held to.
TEST_F(ScenarioTest, PlacementsFollowTheCpusThatAreThere) {
  if (sysconf(_SC_NPROCESSORS_ONLN) > 6) GTEST_SKIP() << "CPU 6 exists here";
  CpuHotplugFake cpus;
  Verdict verdict =
      Run(Backdrop{}.cgroup(Cgroup{"a"}.cpus(CpuSet::exact({6, 7}))),
          {Step{}.op(Op::offline_cpu(7)).hold(100ms)},
          {.not_starved = false, .isolation = true}, {.cpus = &cpus});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_THAT(verdict.findings[0].message, HasSubstr("cpuset was 6"));
}

TEST_F(ScenarioTest, ADetachedSchedulerHasNotDied) {
  SchedulerControlFake scheduler;
  Verdict verdict = Run(
      Backdrop{},
      {Step{}.op(Op::detach_scheduler()).hold(1ms),
       Step{}.op(Op::attach_scheduler({"--slow"})).hold(1ms),
       Step{}.op(Op::replace_scheduler()).hold(1ms),
       Step{}.op(Op::detach_scheduler()).op(Op::attach_scheduler()).hold(1ms)},
      kNoChecks, {.scheduler = &scheduler, .sched_pid = 1 << 30});
  EXPECT_TRUE(verdict.passed);
  EXPECT_THAT(scheduler.calls, ElementsAre("detach", "attach --slow", "replace",
                                           "detach", "attach"));
}

TEST_F(ScenarioTest, ASchedulerThatDoesNotAttachIsToBlame) {
  SchedulerControlFake scheduler;
  scheduler.next = absl::AbortedError("ended before it attached");
  Verdict verdict =
      Run(Backdrop{}, {Step{}.op(Op::replace_scheduler()).hold(1ms)}, kNoChecks,
          {.scheduler = &scheduler});
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].kind, FindingKind::kSchedulerDied);
  EXPECT_THAT(verdict.findings[0].message,
              HasSubstr("replace_scheduler(): ended before it attached"));
}

TEST_F(ScenarioTest, WithoutGuestdNobodyAttachesSchedulers) {
  EXPECT_THAT(
      run_steps(MakeContext(), {Step{}.op(Op::detach_scheduler())}).status(),
      StatusIs(absl::StatusCode::kUnimplemented,
               HasSubstr("only guestd attaches schedulers")));
  EXPECT_THAT(Calls(), IsEmpty());
}

TEST_F(ScenarioTest, SetupFunctionsSeeTheContext) {
  Run(Backdrop{},
      {Step{}
           .setup([](const Context& ctx) {
             std::vector<Cgroup> cgroups;
             for (int i = 0; i < ctx.topology().num_llcs(); ++i) {
               cgroups.push_back(
                   Cgroup{"cg_" + std::to_string(i)}.cpus(CpuSet::llc(i)));
             }
             return cgroups;
           })
           .hold(1ms)});
  EXPECT_EQ(cgroups_.calls()[1], "cpuset cg_0 0-3");
  EXPECT_THAT(Calls(), Contains("cpuset cg_1 4-7"));
}

}  // namespace
}  // namespace ktstr
