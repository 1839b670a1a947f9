// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/lease_runner.h"

#include <fcntl.h>
#include <stdlib.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_matchers.h"
#include "base/thread.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class MapSource : public ArtifactSource {
 public:
  absl::Status Fetch(const std::string& sha256, const Sink& sink) override {
    auto found = blobs.find(sha256);
    if (found == blobs.end()) return absl::NotFoundError("no such blob");
    return sink(found->second);
  }
  ktstr::v1::ArtifactRef Add(const std::string& name) {
    ktstr::v1::ArtifactRef ref;
    ref.set_sha256(Sha256Hex(name));
    ref.set_size_bytes(static_cast<int64_t>(name.size()));
    ref.set_name(name);
    blobs[ref.sha256()] = name;
    return ref;
  }
  std::map<std::string, std::string> blobs;
};

std::string FakeVmm() {
  return JoinPath(JoinPath(getenv("TEST_SRCDIR"), getenv("TEST_WORKSPACE")),
                  "hostd/testing/fake_vmm");
}

class LeaseRunnerTest : public ::testing::Test {
 protected:
  LeaseRunnerTest()
      : dir_(*TempDir::Create("lr-")),
        run_dir_(*RunDir::Create(JoinPath(dir_.path(), "run"))),
        cache_(*ArtifactCache::Open({.dir = JoinPath(dir_.path(), "cache")},
                                    &source_)) {
    attempt_.mutable_key()->set_run_id("run");
    attempt_.mutable_key()->set_epoch(7);
    auto* variant = attempt_.mutable_variant();
    variant->set_test("steady");
    variant->set_topology("1n1l2c1t");
    variant->set_memory_mib(256);
    *variant->mutable_kernel()->mutable_image() = source_.Add("kernel");
    *variant->mutable_suite() = source_.Add("suite");
    variant->mutable_scheduler()->set_name("default");
    SetBudget(absl::Seconds(20), absl::Seconds(20), absl::Seconds(20));
  }

  void SetBudget(absl::Duration boot, absl::Duration test,
                 absl::Duration shutdown) {
    auto* budget = attempt_.mutable_budget();
    auto set = [](absl::Duration from, google::protobuf::Duration* to) {
      to->set_seconds(absl::ToInt64Seconds(from));
      to->set_nanos(
          static_cast<int>(absl::ToInt64Nanoseconds(from % absl::Seconds(1))));
    };
    set(boot, budget->mutable_boot());
    set(test, budget->mutable_attach());
    set(test, budget->mutable_test());
    set(shutdown, budget->mutable_shutdown());
    set(absl::Minutes(5), budget->mutable_total());
  }

  void UseScheduler() {
    auto* scheduler = attempt_.mutable_variant()->mutable_scheduler();
    scheduler->set_name("scx_test");
    *scheduler->mutable_binary() = source_.Add("scheduler");
  }

  bool is_performance_mode_off_ = false;

  ktstr::v1::AttemptResult Run(
      const std::string& scenario,
      StopReason stop_at_workload = StopReason::kNone) {
    LeaseRunner runner({.boot = {.vmm_program = FakeVmm(),
                                 .host_cpus = 1,
                                 .extra_cmdline = "fake=" + scenario,
                                 .clock = &RealClock()},
                        .is_performance_mode_off = is_performance_mode_off_},
                       &run_dir_, cache_.get(),
                       [](const std::vector<GuestImageFile>&) {
                         return std::vector<UniqueFd>();
                       });
    std::unique_ptr<AttemptControl> control;
    control = *AttemptControl::Create([&](ktstr::v1::Phase phase) {
      phases_.push_back(phase);
      if (phase == ktstr::v1::WORKLOAD_STARTED &&
          stop_at_workload != StopReason::kNone) {
        control->Stop(stop_at_workload);
      }
    });
    absl::Time begun = absl::Now();
    ktstr::v1::AttemptResult result = runner.Run(attempt_, control.get());
    took_ = absl::Now() - begun;
    // Whatever happened: only the lock file is left of the attempt.
    EXPECT_THAT(*ListDir(run_dir_.path()), ::testing::ElementsAre("lock"));
    return result;
  }

  TempDir dir_;
  RunDir run_dir_;
  MapSource source_;
  std::unique_ptr<ArtifactCache> cache_;
  ktstr::v1::Attempt attempt_;
  std::vector<ktstr::v1::Phase> phases_;
  absl::Duration took_;
};

TEST_F(LeaseRunnerTest, AGuestThatIsDoneMustGoAwayInTime) {
  const ktstr::v1::AttemptResult passed = Run("pass");
  EXPECT_EQ(passed.outcome(), ktstr::v1::PASS);
  EXPECT_TRUE(passed.has_cleanup_time());

  attempt_.mutable_variant()->mutable_cleanup_budget()->set_nanos(1);
  const ktstr::v1::AttemptResult failed = Run("pass");
  EXPECT_EQ(failed.outcome(), ktstr::v1::FAIL);
  ASSERT_EQ(failed.findings_size(), 1);
  EXPECT_EQ(failed.findings(0).kind(), ktstr::v1::SLOW_CLEANUP);

  attempt_.mutable_variant()->mutable_cleanup_budget()->set_seconds(60);
  EXPECT_EQ(Run("pass").outcome(), ktstr::v1::PASS);
}

TEST_F(LeaseRunnerTest, OnlyARepeatedAttemptTalksOnItsConsole) {
  EXPECT_THAT(Run("pass").console_tail(), HasSubstr(" ignore_loglevel "));
  attempt_.mutable_key()->set_epoch(1);
  EXPECT_THAT(Run("pass").console_tail(), HasSubstr(" loglevel=5 "));
}

TEST_F(LeaseRunnerTest, GuestWithMoreCpusThanTheHostBootsOnOne) {
  EXPECT_THAT(Run("pass").console_tail(), HasSubstr(" maxcpus=1 "));
  attempt_.mutable_variant()->set_topology("1n1l1c1t");
  EXPECT_THAT(Run("pass").console_tail(), Not(HasSubstr("maxcpus")));
}

TEST_F(LeaseRunnerTest, KernelArgumentsOfTheSchedulerAreOnTheCommandLine) {
  auto* setup =
      attempt_.mutable_variant()->mutable_scheduler()->mutable_setup();
  setup->add_kargs("preempt=full");
  setup->add_kargs("isolcpus=1");
  EXPECT_THAT(Run("pass").console_tail(),
              HasSubstr(" preempt=full isolcpus=1 "));
  setup->add_kargs("ktstr.epoch=4");
  ktstr::v1::AttemptResult result = Run("pass");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("\"ktstr.epoch=4\" is reserved"));
}

TEST_F(LeaseRunnerTest, GuestThatCannotBeSetUpIsAnError) {
  UseScheduler();
  ktstr::v1::AttemptResult result = Run("setup-failed");
  EXPECT_EQ(result.outcome(), ktstr::v1::ERROR);
  ASSERT_GT(result.findings_size(), 0);
  EXPECT_EQ(result.findings(0).kind(), ktstr::v1::SETUP_FAILED);
  EXPECT_THAT(result.reason(), HasSubstr("no_such_thing"));
}

TEST_F(LeaseRunnerTest, MapWritesReachTheGuestAndAllThatFailAreTold) {
  UseScheduler();
  for (uint32_t i = 0; i < 16; ++i) {
    auto* write = attempt_.mutable_variant()->add_bpf_map_writes();
    write->set_map_suffix(absl::StrCat("scx_fixture.", i));
    write->set_offset(4 * i);
    write->set_value(0xffffffff - i);
  }
  ktstr::v1::AttemptResult result = Run("setup-failed");
  EXPECT_EQ(result.outcome(), ktstr::v1::ERROR);
  EXPECT_EQ(result.findings(0).kind(), ktstr::v1::SETUP_FAILED);
  EXPECT_THAT(result.reason(),
              HasSubstr("no map scx_fixture.0 for 4294967295 at 0,"));
  EXPECT_THAT(result.reason(),
              HasSubstr("no map scx_fixture.15 for 4294967280 at 60"));
}

TEST_F(LeaseRunnerTest, WatchdogTimeOutWithoutEffectIsAFindingOfAPass) {
  UseScheduler();
  attempt_.mutable_variant()
      ->mutable_scheduler()
      ->mutable_setup()
      ->mutable_watchdog_timeout()
      ->set_seconds(1);
  ktstr::v1::AttemptResult result = Run("pass");
  EXPECT_EQ(result.outcome(), ktstr::v1::PASS) << result.reason();
  EXPECT_FALSE(result.watchdog().had_effect());
  EXPECT_EQ(result.watchdog().timeout().seconds(), 1);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).kind(), ktstr::v1::NOT_EVALUATED);
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("watchdog time-out of 1s had no effect: no descriptors "
                        "were sent"));
}

TEST_F(LeaseRunnerTest, PassingGuestPassesThroughEveryPhase) {
  UseScheduler();
  ktstr::v1::AttemptResult result = Run("pass");
  EXPECT_EQ(result.outcome(), ktstr::v1::PASS) << result.DebugString();
  EXPECT_EQ(result.reason(), "");
  EXPECT_EQ(result.machine_end(), "power-off");
  EXPECT_EQ(result.test_log_tail(), "hello from the test\n");
  EXPECT_EQ(result.guest_kernel_release(), "6.12.0-fake");
  EXPECT_TRUE(result.host().is_overcommitted());
  EXPECT_THAT(result.console_tail(), HasSubstr("Linux version"));
  EXPECT_THAT(result.kernel_log_tail(), HasSubstr("Linux version"));
  for (int phase = ktstr::v1::VMM_UP; phase <= ktstr::v1::SHUT_DOWN; ++phase) {
    EXPECT_THAT(phases_, ::testing::Contains(phase));
  }
}

TEST_F(LeaseRunnerTest, FailedVerdictIsFailWithItsFinding) {
  ktstr::v1::AttemptResult result = Run("fail");
  EXPECT_EQ(result.outcome(), ktstr::v1::FAIL);
  EXPECT_EQ(result.reason(), "worker 3 ran 0 of 100 iterations");
}

TEST_F(LeaseRunnerTest, SkipKeepsItsReason) {
  ktstr::v1::AttemptResult result = Run("skip");
  EXPECT_EQ(result.outcome(), ktstr::v1::SKIP);
  EXPECT_EQ(result.reason(), "needs two LLCs");
}

TEST_F(LeaseRunnerTest, HardwareThatTheHostDoesNotGiveIsSkip) {
  attempt_.mutable_variant()->set_performance_mode(true);
  attempt_.mutable_variant()->set_topology("1n64l8c2t");
  ktstr::v1::AttemptResult result = Run("pass");
  EXPECT_EQ(result.outcome(), ktstr::v1::SKIP);
  EXPECT_THAT(result.reason(), HasSubstr("64 host LLCs are needed"));
  is_performance_mode_off_ = true;
  result = Run("pass");
  EXPECT_EQ(result.outcome(), ktstr::v1::SKIP);
  EXPECT_THAT(result.reason(), HasSubstr("performance mode is off"));
}

TEST_F(LeaseRunnerTest, CrashedTestBinaryIsError) {
  ktstr::v1::AttemptResult result = Run("crash");
  EXPECT_EQ(result.outcome(), ktstr::v1::ERROR);
  EXPECT_THAT(result.reason(), HasSubstr("signal 11"));
}

TEST_F(LeaseRunnerTest, DeadSchedulerIsFail) {
  UseScheduler();
  ktstr::v1::AttemptResult result = Run("scheduler-died");
  EXPECT_EQ(result.outcome(), ktstr::v1::FAIL);
  ASSERT_GT(result.findings_size(), 0);
  EXPECT_EQ(result.findings(0).kind(), ktstr::v1::SCHEDULER_DIED);
  EXPECT_EQ(result.scheduler_exit().kind(),
            ktstr::v1::EXIT_UNREGISTERED_BY_USER);
}

TEST_F(LeaseRunnerTest, PanicWithResetIsFail) {
  ktstr::v1::AttemptResult result = Run("panic-reset");
  EXPECT_EQ(result.outcome(), ktstr::v1::FAIL);
  EXPECT_THAT(result.reason(), HasSubstr("Fatal exception"));
  EXPECT_EQ(result.machine_end(), "reset");
}

TEST_F(LeaseRunnerTest, PanicWithoutResetIsTypedLongBeforeAnyDeadline) {
  ktstr::v1::AttemptResult result = Run("panic-stuck");
  EXPECT_EQ(result.outcome(), ktstr::v1::FAIL);
  EXPECT_EQ(result.findings(0).kind(), ktstr::v1::KERNEL_PANIC);
  EXPECT_EQ(result.machine_end(), "stopped");
  EXPECT_LT(took_, absl::Seconds(10));
}

TEST_F(LeaseRunnerTest, PanicForWantOfInitIsMiss) {
  EXPECT_EQ(Run("no-init").outcome(), ktstr::v1::MISS);
}

TEST_F(LeaseRunnerTest, SilentMachineIsMissAtTheBootDeadline) {
  SetBudget(absl::Milliseconds(300), absl::Seconds(20), absl::Seconds(20));
  ktstr::v1::AttemptResult result = Run("mute");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("console stayed empty"));
}

TEST_F(LeaseRunnerTest, HangUnderSchedulerIsFail) {
  UseScheduler();
  SetBudget(absl::Seconds(10), absl::Seconds(20), absl::Seconds(20));
  ktstr::v1::AttemptResult result = Run("hang");
  EXPECT_EQ(result.outcome(), ktstr::v1::FAIL);
  EXPECT_EQ(result.findings(0).kind(), ktstr::v1::GUEST_HUNG);
}

TEST_F(LeaseRunnerTest, KilledVmmIsMiss) {
  ktstr::v1::AttemptResult result = Run("killed");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("killed by signal 9"));
}

TEST_F(LeaseRunnerTest, VmmWithoutEndIsMissWithItsWords) {
  ktstr::v1::AttemptResult result = Run("exit-3");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("exit code 3"));
  EXPECT_THAT(result.reason(), HasSubstr("something odd"));
}

TEST_F(LeaseRunnerTest, InternalErrorIsMissWithItsDetail) {
  ktstr::v1::AttemptResult result = Run("internal-error");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("rip=0x1000"));
}

class RefusedHelloTest : public LeaseRunnerTest,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(RefusedHelloTest, IsMissThatSaysWhy) {
  SetBudget(absl::Milliseconds(500), absl::Seconds(20), absl::Seconds(20));
  ktstr::v1::AttemptResult result = Run(GetParam());
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("refused: "));
  EXPECT_THAT(phases_, Not(::testing::Contains(ktstr::v1::HELLO)));
}

INSTANTIATE_TEST_SUITE_P(Hellos, RefusedHelloTest,
                         ::testing::Values("wrong-nonce", "stale-epoch",
                                           "garbage-hello"));

TEST_F(LeaseRunnerTest, InitErrorIsMiss) {
  ktstr::v1::AttemptResult result = Run("init-error");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("initramfs cut off"));
}

TEST_F(LeaseRunnerTest, EndlessConsoleIsBoundedByTheBootDeadline) {
  SetBudget(absl::Milliseconds(500), absl::Seconds(20), absl::Seconds(20));
  ktstr::v1::AttemptResult result = Run("endless-console");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_LE(result.console_tail().size(), Console::kTailBytes);
}

TEST_F(LeaseRunnerTest, EndlessLogIsBoundedByTheTestDeadline) {
  UseScheduler();
  SetBudget(absl::Seconds(2), absl::Milliseconds(100), absl::Seconds(20));
  ktstr::v1::AttemptResult result = Run("endless-log");
  EXPECT_EQ(result.outcome(), ktstr::v1::FAIL);
  EXPECT_LE(result.test_log_tail().size(), GuestRecord::kLogBytes);
}

TEST_F(LeaseRunnerTest, OversizedMessageEndsTheSession) {
  ktstr::v1::AttemptResult result = Run("big-message");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS) << result.DebugString();
  EXPECT_LT(took_, absl::Seconds(15));
}

TEST_F(LeaseRunnerTest, LostGuestdEndsTheSession) {
  ktstr::v1::AttemptResult result = Run("hang-up");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_LT(took_, absl::Seconds(15));
}

TEST_F(LeaseRunnerTest, GuestThatDoesNotPowerOffKeepsItsVerdict) {
  SetBudget(absl::Seconds(20), absl::Seconds(20), absl::Milliseconds(300));
  ktstr::v1::AttemptResult result = Run("no-power-off");
  EXPECT_EQ(result.outcome(), ktstr::v1::PASS) << result.reason();
  EXPECT_EQ(result.machine_end(), "stopped");
}

TEST_F(LeaseRunnerTest, RevokedAttemptIsCancelled) {
  EXPECT_EQ(Run("hang", StopReason::kRevoked).outcome(), ktstr::v1::CANCELLED);
  EXPECT_LT(took_, absl::Seconds(10));
}

TEST_F(LeaseRunnerTest, DrainedAttemptIsMiss) {
  EXPECT_EQ(Run("hang", StopReason::kDraining).outcome(), ktstr::v1::MISS);
}

TEST_F(LeaseRunnerTest, MissingArtifactIsMissThatNamesIt) {
  source_.blobs.clear();
  ktstr::v1::AttemptResult result = Run("pass");
  EXPECT_EQ(result.outcome(), ktstr::v1::MISS);
  EXPECT_THAT(result.reason(), HasSubstr("fetch kernel"));
  EXPECT_THAT(phases_, IsEmpty());
}

TEST_F(LeaseRunnerTest, MalformedTopologyIsMiss) {
  attempt_.mutable_variant()->set_topology("lots");
  EXPECT_EQ(Run("pass").outcome(), ktstr::v1::MISS);
}

}  // namespace
}  // namespace ktstr::hostd
