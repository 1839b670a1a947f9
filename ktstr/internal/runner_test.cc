// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/runner.h"

#include <fcntl.h>
#include <unistd.h>

#include <vector>

#include "base/file.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/internal/cgroup_tree_fake.h"
#include "ktstr/internal/frames.h"
#include "ktstr/ktstr.h"
#include "proto/test_frame.pb.h"

namespace ktstr::internal {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr SchedulerDef kScheduler =
    SchedulerDef("mine", "scx_mine")
        .checks({.max_gap_ms = 11, .max_spread_pct = 12});

class RunnerTest : public ::testing::Test {
 protected:
  // Runs `body` and returns the frames it led to.
  std::vector<v1::TestFrame> Run(BodyFunction body, RunSettings settings = {},
                                 TestOptions options = {}) {
    int fds[2];
    EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0);
    UniqueFd reader(fds[0]);
    UniqueFd writer(fds[1]);
    settings.frames_fd = writer.get();
    TestEntry test{.name = "t",
                   .file = "f.cc",
                   .line = 1,
                   .options = options,
                   .body = body};
    EXPECT_OK(RunTest(test, settings,
                      {.topology = &topology_, .cgroups = &cgroups_}));
    writer.Reset();
    return Split(*ReadAll(reader.get()));
  }

  static std::vector<v1::TestFrame> Split(absl::string_view bytes) {
    std::vector<v1::TestFrame> frames;
    while (bytes.size() >= 4) {
      uint32_t size = 0;
      for (int i = 3; i >= 0; --i) {
        size = size << 8 | static_cast<uint8_t>(bytes[i]);
      }
      bytes.remove_prefix(4);
      EXPECT_LE(size, bytes.size());
      EXPECT_TRUE(frames.emplace_back().ParseFromString(
          std::string(bytes.substr(0, size))));
      bytes.remove_prefix(size);
    }
    EXPECT_TRUE(bytes.empty());
    return frames;
  }

  GuestTopology topology_ =
      GuestTopology::FromDeclared(*Topology::Parse("1n1l2c1t"));
  CgroupTreeFake cgroups_;
};

TEST_F(RunnerTest, StartedFirstVerdictLast) {
  std::vector<v1::TestFrame> frames =
      Run([](const Context&) -> absl::StatusOr<Verdict> { return pass(); });
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_TRUE(frames[0].started());
  EXPECT_TRUE(frames[1].verdict().passed());
}

TEST_F(RunnerTest, ABodyErrorIsAFailedVerdictOfItsOwnKind) {
  std::vector<v1::TestFrame> frames =
      Run([](const Context&) -> absl::StatusOr<Verdict> {
        return absl::NotFoundError("no such thing");
      });
  ASSERT_THAT(frames, SizeIs(2));
  const v1::Verdict& verdict = frames[1].verdict();
  EXPECT_FALSE(verdict.passed());
  ASSERT_EQ(verdict.findings_size(), 1);
  EXPECT_EQ(verdict.findings(0).kind(), v1::TEST_BODY_ERROR);
  EXPECT_THAT(verdict.findings(0).message(), HasSubstr("no such thing"));
}

TEST_F(RunnerTest, ASkipIsDelivered) {
  std::vector<v1::TestFrame> frames = Run(
      [](const Context&) -> absl::StatusOr<Verdict> { return skip("why"); });
  EXPECT_TRUE(frames.back().verdict().skipped());
  EXPECT_EQ(frames.back().verdict().skip_reason(), "why");
}

TEST_F(RunnerTest, SettingsWinOverTheDeclaration) {
  std::vector<v1::TestFrame> frames = Run(
      [](const Context& ctx) -> absl::StatusOr<Verdict> {
        bool is_right = ctx.duration() == std::chrono::milliseconds(70) &&
                        ctx.workers_per_cgroup() == 9 && ctx.seed() == 33 &&
                        ctx.sched_pid() == 5 &&
                        ctx.profile().subtracts_stolen_time;
        return is_right ? pass() : fail("wrong");
      },
      {.duration = std::chrono::milliseconds(70),
       .workers = 9,
       .seed = 33,
       .is_overcommitted = true,
       .sched_pid = 5},
      {.duration = std::chrono::seconds(9), .workers_per_cgroup = 1});
  EXPECT_TRUE(frames.back().verdict().passed());
}

TEST_F(RunnerTest, ChecksMergeDefaultSchedulerTest) {
  std::vector<v1::TestFrame> frames = Run(
      [](const Context& ctx) -> absl::StatusOr<Verdict> {
        bool is_right =
            ctx.checks() ==
            Checks{.not_starved = true, .max_gap_ms = 21, .max_spread_pct = 12};
        return is_right ? pass() : fail("wrong");
      },
      {}, {.scheduler = &kScheduler, .checks = {.max_gap_ms = 21}});
  EXPECT_TRUE(frames.back().verdict().passed());
}

TEST_F(RunnerTest, StepsBecomeStimulusFramesAndCgroupsGo) {
  std::vector<v1::TestFrame> frames =
      Run([](const Context& ctx) -> absl::StatusOr<Verdict> {
        return run_steps(
            ctx,
            {Step{}.op(Op::add_cgroup("a")).hold(std::chrono::milliseconds(1)),
             Step{}.hold(std::chrono::milliseconds(1)).label("two")});
      });
  ASSERT_THAT(frames, SizeIs(5));
  EXPECT_EQ(frames[1].stimulus().op_kinds(), 1u);
  EXPECT_EQ(frames[1].stimulus().cgroups(), 1);
  EXPECT_EQ(frames[2].stimulus().label(), "two");
  EXPECT_EQ(frames[2].stimulus().cgroups(), 0);
  EXPECT_TRUE(frames[3].stimulus().is_end());
  EXPECT_TRUE(frames[4].verdict().passed());
  EXPECT_TRUE(cgroups_.existing().empty());
}

TEST_F(RunnerTest, WhatTheBodyRecordsIsInTheVerdict) {
  std::vector<v1::TestFrame> frames =
      Run([](const Context& ctx) -> absl::StatusOr<Verdict> {
        ctx.record("latency", 12.5, "us", Polarity::lower_better());
        ctx.record("depth", 3, "", Polarity::target(2));
        ctx.record("not a name", 1);
        return pass();
      });
  const v1::Verdict& verdict = frames.back().verdict();
  ASSERT_EQ(verdict.measurements_size(), 2);
  EXPECT_EQ(verdict.measurements(0).name(), "latency");
  EXPECT_EQ(verdict.measurements(0).value(), 12.5);
  EXPECT_EQ(verdict.measurements(0).unit(), "us");
  EXPECT_EQ(verdict.measurements(0).polarity(), v1::LOWER_BETTER);
  EXPECT_EQ(verdict.measurements(1).polarity(), v1::TARGET_VALUE);
  EXPECT_EQ(verdict.measurements(1).target(), 2);
  ASSERT_EQ(verdict.findings_size(), 1);
  EXPECT_EQ(verdict.findings(0).kind(), v1::TEST_BODY_ERROR);
  EXPECT_FALSE(verdict.passed());
}

TEST_F(RunnerTest, AVerdictNobodyReadsIsAnError) {
  TestEntry test{
      .name = "t",
      .file = "f.cc",
      .line = 1,
      .body = [](const Context&) -> absl::StatusOr<Verdict> { return pass(); }};
  RunSettings settings{.frames_fd = 987};
  EXPECT_FALSE(
      RunTest(test, settings, {.topology = &topology_, .cgroups = &cgroups_})
          .ok());
}

// The body says that all is well, and nothing of what it ran.
TEST_F(RunnerTest, WhatPayloadsSayIsInTheVerdictWhateverTheBodySays) {
  static constexpr PayloadDef kScript = PayloadDef{"script"}
                                            .program("/bin/sh")
                                            .json()
                                            .args({"-c", "echo '{\"a\": 1}'"})
                                            .metric("a", {}, "us");
  std::vector<v1::TestFrame> frames =
      Run([](const Context& ctx) -> absl::StatusOr<Verdict> {
        absl::StatusOr<PayloadResult> result =
            ctx.payload(kScript).check(PCheck::min("a", 2)).run();
        if (!result.ok()) return result.status();
        return pass();
      });
  const v1::Verdict& verdict = frames.back().verdict();
  EXPECT_FALSE(verdict.passed());
  ASSERT_THAT(verdict.findings(), SizeIs(1));
  EXPECT_THAT(verdict.findings(0).message(),
              HasSubstr("payload script: metric a is 1, wanted at least 2"));
  ASSERT_THAT(verdict.measurements(), SizeIs(1));
  EXPECT_EQ(verdict.measurements(0).name(), "script.a");
  EXPECT_EQ(verdict.measurements(0).unit(), "us");
}

}  // namespace
}  // namespace ktstr::internal
