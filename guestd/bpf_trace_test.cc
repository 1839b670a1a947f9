// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/bpf_trace.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "guestd/child.h"
#include "guestd/event_loop.h"

namespace ktstr::guestd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Real system calls: where this process may load programs the kernel verifies
// them, elsewhere it refuses all with EPERM. Either way tracing must see what
// the process sees, and the process must not see tracing.
class BpfTraceTest : public ::testing::Test {
 protected:
  static std::string Loader() {
    return absl::StrCat(getenv("TEST_SRCDIR"), "/", getenv("TEST_WORKSPACE"),
                        "/guestd/testing/bpf_loader");
  }

  static void SetUpTestSuite() {
    may_load_ =
        absl::StrContains(BpfTraceTest().Run({"good:probe"}, false), "errno=0");
  }

  void Start(std::vector<std::string> args, bool is_traced) {
    output_.clear();
    // LeakSanitizer refuses to work in a traced process.
    CommandSpec spec = {.argv = {Loader()},
                        .extra_env = {"ASAN_OPTIONS=detect_leaks=0"}};
    spec.argv.insert(spec.argv.end(), args.begin(), args.end());
    if (is_traced) {
      trace_ = std::make_unique<BpfTrace>(&loop_);
      spec.before_exec = [this](pid_t pid) { trace_->Follow(pid); };
    }
    ASSERT_OK_AND_ASSIGN(
        child_, Child::Start(std::move(spec), &loop_,
                             {.on_output =
                                  [this](absl::string_view text) {
                                    output_.append(text.data(), text.size());
                                  },
                              .on_exit = [](const ExitStatus&) {}}));
  }

  bool RunUntil(const std::function<bool()>& is_done) {
    return loop_.RunUntil(is_done, RealClock().Monotonic() + absl::Minutes(1));
  }

  bool RunToEnd() {
    return RunUntil([this] { return !child_->is_running(); });
  }

  std::string Run(std::vector<std::string> args, bool is_traced) {
    Start(std::move(args), is_traced);
    EXPECT_TRUE(RunToEnd());
    EXPECT_TRUE(child_->exit()->ok()) << child_->exit()->ToString();
    return output_;
  }

  static std::vector<std::string> Names(const v1::BpfPrograms& report) {
    std::vector<std::string> names;
    for (const v1::BpfProgram& program : report.programs()) {
      names.push_back(program.name());
    }
    return names;
  }

  // Of "NAME errno=N ...".
  int ErrnoOf(const std::string& name) {
    for (absl::string_view line : absl::StrSplit(output_, '\n')) {
      if (absl::ConsumePrefix(&line, name + " errno=")) {
        return atoi(std::string(line).c_str());
      }
    }
    return -1;
  }

  ~BpfTraceTest() override {
    if (child_) child_->Kill(SIGKILL);
    trace_.reset();
    child_.reset();
  }

  void TestBody() override {}

  static bool may_load_;
  EventLoop loop_;
  std::string output_;
  std::unique_ptr<BpfTrace> trace_;
  std::unique_ptr<Child> child_;
};

bool BpfTraceTest::may_load_ = false;

TEST_F(BpfTraceTest, TheProcessSeesNoDifference) {
  const std::vector<std::string> args = {
      "good:a",        "bad:b",          "good+log:c",      "bad+log:d",
      "good+thread:e", "bad+thread:f",   "good+fork:g",     "good+close:h",
      "good:i",        "bad+log+fork:j", "bad+log+thread:k"};
  std::string untraced = Run(args, false);
  child_.reset();
  EXPECT_EQ(Run(args, true), untraced);
  EXPECT_THAT(untraced, Not(HasSubstr("changed")));
}

TEST_F(BpfTraceTest, ReportsWhatTheProcessWasTold) {
  for (const char* how : {"good", "bad", "good+log", "bad+log", "good+thread",
                          "bad+thread", "good+fork", "bad+fork"}) {
    SCOPED_TRACE(how);
    Run({absl::StrCat(how, ":subject")}, true);
    v1::BpfPrograms report = trace_->Report(/*is_attached=*/false);
    EXPECT_EQ(report.missing(), "");
    ASSERT_THAT(Names(report), ElementsAre("subject"));
    const v1::BpfProgram& program = report.programs(0);
    EXPECT_EQ(program.type(), "socket_filter");
    EXPECT_EQ(program.insns(), 2);
    EXPECT_EQ(program.error(), ErrnoOf("subject"));
    EXPECT_EQ(program.is_accepted(), program.error() == 0);
    EXPECT_EQ(program.error() != 0, !may_load_ || absl::StartsWith(how, "bad"));
    trace_.reset();
    child_.reset();
    if (!may_load_) continue;
    if (program.is_accepted()) {
      EXPECT_EQ(program.processed_insns(), 2);
      EXPECT_EQ(program.verified_insns(), 2);
      EXPECT_THAT(program.log(), HasSubstr("processed 2 insns"));
    } else {
      EXPECT_THAT(program.log(), HasSubstr("R3 !read_ok"));
      EXPECT_FALSE(program.has_verified_insns());
    }
    // The whole statistics, but where the process asked for a log without.
    EXPECT_EQ(program.has_verification_time(), !absl::StrContains(how, "log"));
    EXPECT_EQ(program.insn_limit(), 1000000);
    EXPECT_TRUE(program.has_total_states());
  }
}

TEST_F(BpfTraceTest, SeesThroughExec) {
  Run({"exec:", "good:after"}, true);
  EXPECT_THAT(Names(trace_->Report(false)), ElementsAre("after"));
}

TEST_F(BpfTraceTest, ARefusalCountsUnlessTheLoaderWentOn) {
  Run({"bad:tried", "good:fallback", "bad:one", "bad:two", "bad+log:two"},
      true);
  v1::BpfPrograms report = trace_->Report(/*is_attached=*/false);
  if (may_load_) {
    ASSERT_THAT(Names(report), ElementsAre("fallback", "one", "two"));
    EXPECT_THAT(report.programs(2).log(), HasSubstr("R3 !read_ok"));
    EXPECT_EQ(report.programs(1).log(), "");
  } else {
    EXPECT_THAT(Names(report), ElementsAre("tried", "fallback", "one", "two"));
  }
}

TEST_F(BpfTraceTest, OfAnAttachedSchedulerOnlyWhatExistsCounts) {
  Start({"good+close:probe", "good:kept", "good+close:late", "bad:coped",
         "stay:"},
        true);
  ASSERT_TRUE(
      RunUntil([this] { return absl::StrContains(output_, "staying"); }));
  v1::BpfPrograms report = trace_->Report(/*is_attached=*/true);
  if (may_load_) {
    EXPECT_THAT(Names(report), ElementsAre("kept"));
  } else {
    EXPECT_THAT(Names(report), IsEmpty());
  }
}

// Sleeping and computing threads are let go at their next stop, which may never
// come: neither may keep the process from ending.
TEST_F(BpfTraceTest, AProcessThatWasLetGoEndsAsAnyOther) {
  for (int signal : {SIGTERM, SIGKILL}) {
    SCOPED_TRACE(signal);
    Start({"good:a", "spin:"}, true);
    ASSERT_TRUE(
        RunUntil([this] { return absl::StrContains(output_, "staying"); }));
    trace_->LetGo();
    child_->Kill(signal);
    ASSERT_TRUE(RunToEnd());
    EXPECT_EQ(child_->exit()->signal, signal);
    trace_.reset();
    child_.reset();
  }
}

TEST_F(BpfTraceTest, AProcessStillTracedDiesWithTheTrace) {
  Start({"spin:"}, true);
  ASSERT_TRUE(
      RunUntil([this] { return absl::StrContains(output_, "staying"); }));
  // The destructor, which must return.
}

TEST_F(BpfTraceTest, ReportsWhatCannotBeTraced) {
  trace_ = std::make_unique<BpfTrace>(&loop_);
  trace_->Follow(1 << 30);
  EXPECT_THAT(trace_->Report(false).missing(),
              HasSubstr("cannot be traced: No such process"));
}

}  // namespace
}  // namespace ktstr::guestd
