// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/payload_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ktstr/context.h"
#include "ktstr/internal/cgroup_tree_fake.h"
#include "ktstr/internal/payload_log.h"

namespace ktstr {
namespace {

using ::absl_testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using namespace std::chrono_literals;

constexpr PayloadDef kScript =
    PayloadDef{"script"}
        .program("/bin/sh")
        .json()
        .args({"-c"})
        .check(PCheck::exit_code(0))
        .metric("a", Polarity::higher_better(), "1/s");

class PayloadRunTest : public ::testing::Test {
 protected:
  PayloadBuilder Script(const std::string& script) {
    PayloadBuilder builder = context_.payload(kScript);
    builder.arg(script);
    return builder;
  }
  Verdict Recorded() {
    Verdict verdict;
    log_.AddTo(verdict);
    return verdict;
  }

  GuestTopology topology_ =
      GuestTopology::FromDeclared(*Topology::Parse("1n1l2c1t"));
  internal::CgroupTreeFake cgroups_;
  internal::PayloadLog log_;
  Context context_{ContextParts{
      .topology = &topology_, .cgroups = &cgroups_, .payloads = &log_}};
};

TEST_F(PayloadRunTest, ResultGoesToTheBodyAndIntoTheVerdict) {
  ASSERT_OK_AND_ASSIGN(PayloadResult result,
                       Script("echo '{\"a\":5,\"b\":{\"c\":6}}'")
                           .check(PCheck::min("a", 6))
                           .run());
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.metric("b.c"), 6);
  EXPECT_EQ(result.metric("c"), std::nullopt);
  EXPECT_FALSE(result.passed());
  Verdict verdict = Recorded();
  EXPECT_FALSE(verdict.passed);
  ASSERT_THAT(verdict.findings, SizeIs(1));
  EXPECT_EQ(verdict.findings[0].message,
            "payload script: metric a is 5, wanted at least 6");
  ASSERT_THAT(verdict.measurements, SizeIs(2));
  EXPECT_EQ(verdict.measurements[0].name, "script.a");
  EXPECT_EQ(verdict.measurements[0].unit, "1/s");
  EXPECT_EQ(verdict.measurements[0].polarity.kind,
            Polarity::Kind::kHigherBetter);
  EXPECT_EQ(verdict.measurements[1].name, "script.b.c");
}

TEST_F(PayloadRunTest, ArgumentsAndChecksCanBeClearedAndAdded) {
  ASSERT_OK_AND_ASSIGN(PayloadResult result, context_.payload(kScript)
                                                 .clear_args()
                                                 .args({"-c", "exit 3"})
                                                 .clear_checks()
                                                 .check(PCheck::exit_code(3))
                                                 .run());
  EXPECT_TRUE(result.passed());
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_TRUE(Recorded().passed);
}

TEST_F(PayloadRunTest, CgroupNamesMayBeginWithSlashes) {
  ASSERT_OK(Script("true").in_cgroup("/cg_0/inner").run());
  EXPECT_THAT(cgroups_.calls(), ElementsAre("move cg_0/inner 1"));
  for (const char* name : {"", "/", "a/../b"}) {
    EXPECT_THAT(Script("true").in_cgroup(name).run(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST_F(PayloadRunTest, TimeoutKillsAndKeepsWhatWasPrinted) {
  ASSERT_OK_AND_ASSIGN(PayloadResult result,
                       Script("echo '{\"a\":1}'; exec sleep 1000")
                           .clear_checks()
                           .timeout(2s)
                           .run());
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_TRUE(result.passed());
  EXPECT_EQ(result.metric("a"), 1);
  EXPECT_THAT(
      Script("true").timeout(0ms).run(),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not positive")));
  EXPECT_THAT(Script("true").timeout(1s).spawn(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("a time limit is for run()")));
}

TEST_F(PayloadRunTest, OneBuilderRunsOnce) {
  PayloadBuilder builder = Script("true");
  ASSERT_OK(builder.run());
  EXPECT_THAT(builder.run(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                      HasSubstr("has been run or spawned")));
  EXPECT_THAT(builder.spawn(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(PayloadRunTest, OneProgramHasOneResult) {
  ASSERT_OK_AND_ASSIGN(PayloadHandle handle,
                       Script("echo '[{\"a\":2}]'").spawn());
  EXPECT_GT(handle.pid(), 0);
  ASSERT_OK_AND_ASSIGN(PayloadResult result, handle.wait());
  EXPECT_EQ(result.metric("0.a"), 2);
  EXPECT_THAT(handle.wait(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                      HasSubstr("payload \"script\" has been "
                                                "collected already")));
  EXPECT_THAT(handle.kill(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(handle.try_wait(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Recorded().measurements, SizeIs(1));
}

TEST_F(PayloadRunTest, TryWaitLeavesARunningProgramAlone) {
  const std::string fifo = ::testing::TempDir() + "/go";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  ASSERT_OK_AND_ASSIGN(PayloadHandle handle,
                       Script("read word < " + fifo + "; echo $word").spawn());
  ASSERT_OK_AND_ASSIGN(std::optional<PayloadResult> nothing, handle.try_wait());
  EXPECT_FALSE(nothing.has_value());
  ASSERT_OK_AND_ASSIGN(UniqueFd writer, OpenFile(fifo, O_WRONLY));
  ASSERT_OK(WriteAll(writer.get(), "on\n"));
  ASSERT_OK_AND_ASSIGN(PayloadResult result, handle.wait());
  EXPECT_EQ(result.out, "on\n");
}

TEST_F(PayloadRunTest, KillAsksFirstAndKeepsTheResults) {
  const std::string fifo = ::testing::TempDir() + "/ready";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  ASSERT_OK_AND_ASSIGN(
      PayloadHandle handle,
      Script("trap 'echo \"{\\\"a\\\":9}\"; exit 1' TERM; echo > " + fifo +
             "; while :; do sleep 0.01; done")
          .spawn());
  ASSERT_OK(ReadFile(fifo).status());
  ASSERT_OK_AND_ASSIGN(PayloadResult result,
                       handle.kill({.grace = std::chrono::minutes(1)}));
  EXPECT_EQ(result.metric("a"), 9);
  EXPECT_EQ(result.exit_code, 1);
  // Exit codes are not asked of what the test ended.
  EXPECT_TRUE(result.passed());
}

TEST_F(PayloadRunTest, KillAtOnceDoesNotAsk) {
  ASSERT_OK_AND_ASSIGN(PayloadHandle handle, Script("exec sleep 1000").spawn());
  ASSERT_OK_AND_ASSIGN(PayloadResult result,
                       handle.kill(PayloadStop::at_once()));
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_EQ(result.exit_code, -1);
}

TEST_F(PayloadRunTest, ADroppedHandleKillsAndWarns) {
  pid_t pid = 0;
  ::testing::internal::CaptureStderr();
  {
    ASSERT_OK_AND_ASSIGN(PayloadHandle handle,
                         Script("exec sleep 1000").spawn());
    PayloadHandle moved = std::move(handle);
    pid = moved.pid();
    EXPECT_EQ(handle.pid(), -1);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("payload script was neither waited for nor killed"));
}

TEST_F(PayloadRunTest, AMissingProgramSaysWhereItWasLookedFor) {
  EXPECT_THAT(context_.payload(PayloadDef{"no_such_program"}).run(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("there is no program no_such_program on "
                                 "PATH")));
}

}  // namespace
}  // namespace ktstr
