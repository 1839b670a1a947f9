// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// `ktstrctl submit` with the real coordinator and a hostd without machines.
#include <signal.h>

#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "ktstrctl/testing/command_line.h"
#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {
namespace {

using ::nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class SubmitTest : public CommandLineTest {
 protected:
  static json Parse(const std::string& text) {
    return json::parse(text, nullptr, /*allow_exceptions=*/false);
  }
  json OnlyResult() {
    std::vector<std::string> files = ResultFiles();
    EXPECT_THAT(files, SizeIs(1));
    if (files.size() != 1) return json();
    auto text = ReadFile(files[0]);
    EXPECT_OK(text);
    return Parse(text.ok() ? *text : "");
  }
  // One that serves, on data of its own.
  absl::StatusOr<Running> StartCoordinator(const std::string& address) {
    auto coordinator =
        Start({JoinPath(libexec_, "coordinator"), "--listen", address, "--data",
               JoinPath(dir_->path(), "data"), "--ready-fd", "1"});
    if (!coordinator.ok()) return coordinator;
    absl::Status ready = coordinator->AwaitText(address + "\n");
    if (!ready.ok()) return ready;
    return coordinator;
  }
  // A run that goes on until somebody ends it.
  absl::StatusOr<Running> StartHanging() {
    std::vector<std::string> argv = SubmitArgs({"--filter", "hangs"});
    argv.insert(argv.begin(), program_);
    auto run = Start(argv);
    if (!run.ok()) return run;
    absl::Status up = run->AwaitText("VMM_UP");
    if (!up.ok()) return up;
    return run;
  }
};

TEST_F(SubmitTest, PassIsZeroAndLeavesOnlyResults) {
  Finished run = Submit({"--filter", "passes", "--seed", "42"});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("1 variant: 1 passed"),
                             HasSubstr("TEST"), HasSubstr(output_dir_)));
  EXPECT_THAT(run.err, IsEmpty());
  json result = OnlyResult();
  EXPECT_EQ(result["variant"], "ktstr/passes");
  EXPECT_EQ(result["outcome"], "PASS");
  EXPECT_EQ(result["host"]["host_id"], "fake");
  EXPECT_EQ(result["attempt_epoch"], 1);
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_THAT(FleetPids(), IsEmpty());
}

TEST_F(SubmitTest, FailAndErrorAreOneWithAReport) {
  Finished fail = Submit({"--filter", "fails"});
  EXPECT_EQ(fail.code, 1) << fail.err;
  EXPECT_THAT(fail.out,
              AllOf(HasSubstr("ktstr_test 'fails' [sched=default] "
                              "[topo=1n1l2c1t]"),
                    HasSubstr("STARVED: worker 1 ran 0 iterations"),
                    HasSubstr("\\x1b[2Jlast words"), Not(HasSubstr("\x1b"))));
  EXPECT_EQ(Submit({"--filter", "errors"}).code, 1);
}

TEST_F(SubmitTest, SkipIsZero) {
  EXPECT_EQ(Submit({"--filter", "skips"}).code, 0);
}

TEST_F(SubmitTest, MissIsRetriedThenThree) {
  Finished run = Submit({"--filter", "misses", "--max-attempts", "2"});
  EXPECT_EQ(run.code, 3) << run.out << run.err;
  json result = OnlyResult();
  EXPECT_EQ(result["outcome"], "MISS");
  EXPECT_EQ(result["attempt_epoch"], 2);
  EXPECT_GE(result["missed"].size(), 1u);
}

TEST_F(SubmitTest, FailOutranksMiss) {
  EXPECT_EQ(Submit({"--filter", "fails", "--filter", "misses"}).code, 1);
  EXPECT_THAT(ResultFiles(), SizeIs(2));
}

TEST_F(SubmitTest, PresetsMakeVariantsWithTheirOwnTopology) {
  Finished run = Submit({"--filter", "passes", "--preset", "tiny-1llc",
                         "--preset", "smt-2llc", "--preset", "max-cpu"});
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("2 variants, 1 left out"));
  EXPECT_THAT(run.out, HasSubstr("max-cpu: "));
  EXPECT_THAT(run.out, HasSubstr("smt-2llc 1n2l2c2t"));
  EXPECT_THAT(ResultFiles(), SizeIs(2));
}

TEST_F(SubmitTest, JsonIsAloneOnStandardOutput) {
  std::string junit = JoinPath(dir_->path(), "junit.xml");
  Finished run = Submit(
      {"--filter", "passes", "--filter", "fails", "--json", "--junit", junit});
  EXPECT_EQ(run.code, 1);
  json out = Parse(run.out);
  ASSERT_TRUE(out.is_object()) << run.out;
  EXPECT_EQ(out["exit_code"], 1);
  EXPECT_EQ(out["counts"]["failed"], 1);
  EXPECT_EQ(out["variants"].size(), 2u);
  ASSERT_OK_AND_ASSIGN(std::string xml, ReadFile(junit));
  EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\" errors=\"0\""));
}

TEST_F(SubmitTest, HostThatCannotRunGuestsIsThreeWithTheReason) {
  Finished run =
      Submit({"--quiet"}, {"FAKE_HOSTD_UNUSABLE=KVM interprets kernel mode"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("KVM interprets kernel mode"));
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_THAT(FleetPids(), IsEmpty());
}

TEST_F(SubmitTest, DeadHostdIsMissNotFail) {
  Finished run = Submit({"--filter", "dies"});
  EXPECT_EQ(run.code, 3) << run.out << run.err;
  json result = OnlyResult();
  EXPECT_EQ(result["outcome"], "MISS");
  EXPECT_EQ(result["reason"], "embedded hostd ended: exit code 7");
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_THAT(FleetPids(), IsEmpty());
}

TEST_F(SubmitTest, InterruptCancelsAndLeavesNothing) {
  ASSERT_OK_AND_ASSIGN(Running run, StartHanging());
  EXPECT_THAT(FleetPids(), Not(IsEmpty()));
  kill(run.process.pid(), SIGINT);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish());
  EXPECT_EQ(exit.code, 130) << run.output;
  EXPECT_THAT(run.output, HasSubstr("1 cancelled"));
  EXPECT_EQ(OnlyResult()["outcome"], "CANCELLED");
  EXPECT_THAT(Leftovers(), IsEmpty());
  EXPECT_THAT(FleetPids(), IsEmpty());
}

TEST_F(SubmitTest, SecondInterruptLeavesAtOnceAndLeavesNothing) {
  ASSERT_OK_AND_ASSIGN(Running run, StartHanging());
  // A stopped hostd confirms nothing.
  for (int pid : FleetPids()) {
    if (pid != run.process.pid()) kill(pid, SIGSTOP);
  }
  kill(run.process.pid(), SIGINT);
  ASSERT_OK(run.AwaitText("cancelling"));
  kill(run.process.pid(), SIGINT);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish());
  EXPECT_EQ(exit.code, 130) << run.output;
  AwaitNoFleet();
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(SubmitTest, KilledClientTakesItsFleetAlongAndTheNextStartSweeps) {
  {
    ASSERT_OK_AND_ASSIGN(Running run, StartHanging());
    kill(run.process.pid(), SIGKILL);
    ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish());
    EXPECT_EQ(exit.signal, SIGKILL);
  }
  AwaitNoFleet();
  EXPECT_THAT(Leftovers(), SizeIs(1));
  EXPECT_EQ(Submit({"--filter", "passes"}).code, 0);
  EXPECT_THAT(Leftovers(), IsEmpty());
}

TEST_F(SubmitTest, ShowTellsOfAVariantPhaseByPhase) {
  std::string address = "unix:" + JoinPath(tmp_, "c.sock");
  ASSERT_OK_AND_ASSIGN(Running coordinator, StartCoordinator(address));
  ASSERT_OK_AND_ASSIGN(Running host, Start({JoinPath(libexec_, "hostd"),
                                            "--coordinator", address}));
  Finished run = Submit({"--filter", "passes", "--filter", "fails", "--json",
                         "--coordinator", address});
  std::string id = Parse(run.out).value("run_id", "");
  auto show = [&](const std::string& variant) {
    return Run({"show", id, variant, "--coordinator", address});
  };
  Finished shown = show("pass*");
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("'passes'"), HasSubstr(" passed:"),
                               HasSubstr("7 ms  "), Not(HasSubstr("'fails'"))));
  Finished unknown = show("pases");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("pases"));
}

TEST_F(SubmitTest, CoordinatorThatComesBackCostsOnlyTime) {
  std::string address = "unix:" + JoinPath(tmp_, "c.sock");
  ASSERT_OK_AND_ASSIGN(Running first, StartCoordinator(address));
  ASSERT_OK_AND_ASSIGN(Running host, Start({JoinPath(libexec_, "hostd"),
                                            "--coordinator", address}));

  std::vector<std::string> argv =
      SubmitArgs({"--filter", "hangs", "--coordinator", address});
  argv.insert(argv.begin(), program_);
  ASSERT_OK_AND_ASSIGN(Running run, Start(argv));
  ASSERT_OK(run.AwaitText("VMM_UP"));
  kill(first.process.pid(), SIGKILL);
  ASSERT_OK(first.Finish());
  ASSERT_OK(run.AwaitText("waiting"));
  ASSERT_OK_AND_ASSIGN(Running second, StartCoordinator(address));
  ASSERT_OK(run.AwaitText("coordinator is back"));

  ASSERT_OK_AND_ASSIGN(Running again, Start({JoinPath(libexec_, "hostd"),
                                             "--coordinator", address}));
  kill(run.process.pid(), SIGINT);
  ASSERT_OK_AND_ASSIGN(ExitStatus exit, run.Finish());
  EXPECT_EQ(exit.code, 130) << run.output;
}

}  // namespace
}  // namespace ktstr::ktstrctl
