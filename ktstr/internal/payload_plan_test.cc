// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/payload_plan.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::internal {
namespace {

using ::absl_testing::IsOk;
using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr PayloadDef kJson =
    PayloadDef{"bench"}
        .json()
        .args({"--format=json"})
        .check(PCheck::exit_code(0))
        .metric("iops", Polarity::higher_better(), "1/s")
        .knows_flags({"rw", "size"});
// The same as designated initialisers.
constexpr PayloadDef kInitialised = {
    .name = "bench",
    .output = PayloadOutput::kJson,
    .default_args = {"--format=json"},
    .default_checks = {PCheck::exit_code(0)},
    .metrics = {{"iops", Polarity::higher_better(), "1/s"}},
    .known_flags = {"rw", "size"}};
static_assert(kInitialised.metrics.Find("iops")->unit ==
              kJson.metrics.Find("iops")->unit);
static_assert(kJson.metrics.Find("other") == nullptr);
static_assert(kJson.program_name() == "bench");
static_assert(kJson.program("./b/x").program_name() == "./b/x");
constinit PayloadDef at_start = PayloadDef{"fio"}.json().stopped_by(
    {.signal = SIGINT, .grace = std::chrono::seconds(1)});

// "number NAME VALUE" lines.
std::vector<PayloadMetric> ReadNumbers(std::string_view text) {
  std::vector<PayloadMetric> found;
  size_t at = 0;
  while ((at = text.find("number ", at)) != text.npos) {
    at += 7;
    const size_t space = text.find(' ', at);
    const size_t end = text.find('\n', at);
    double value = 0;
    const std::string digits(text.substr(space + 1, end - space - 1));
    if (!absl::SimpleAtod(digits, &value)) continue;
    found.push_back({.name = std::string(text.substr(at, space - at)),
                     .value = value,
                     .unit = "ms"});
  }
  return found;
}

PayloadPlan Plan(const PayloadDef& def) {
  return PayloadPlan(std::make_shared<const PayloadDef>(def));
}

PayloadPlan PlanWith(std::vector<PCheck> checks) {
  PayloadPlan plan = Plan(PayloadDef{"bench"}.json());
  for (const PCheck& check : checks) plan.checks.emplace_back(check);
  return plan;
}

std::string Messages(const PayloadResult& result) {
  return absl::StrJoin(result.findings, "\n",
                       [](std::string* out, const Finding& finding) {
                         absl::StrAppend(out, finding.message);
                       });
}

TEST(PayloadPlanTest, DefinitionsThatMayNotBeAreRefusedWithTheReason) {
  const struct {
    PayloadDef def;
    const char* why;
  } cases[] = {
      {PayloadDef{""}, "has no name"},
      {PayloadDef{"a/b"}, "a name of other than"},
      {PayloadDef{"a b"}, "a name of other than"},
      {PayloadDef{"a"}.program("dir/"), "a program that is none"},
      {PayloadDef{"a"}.text(nullptr), "no extractor"},
      {PayloadDef{"a"}.stopped_by({.signal = 0}), "stopped by a signal"},
      {PayloadDef{"a"}.check(PCheck::min("x", 1)), "nothing is read"},
      {PayloadDef{"a"}.json().check(PCheck::min("", 1)), "without a name"},
      {PayloadDef{"a"}.json().check(PCheck::range("x", 2, 1)), "is empty"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(CheckPlan(Plan(c.def)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.why)));
  }
  EXPECT_OK(CheckPlan(Plan(kJson)));
  EXPECT_OK(CheckPlan(Plan(at_start)));
}

TEST(PayloadPlanTest, OnlyKnownLongOptionsMayBeAdded) {
  const struct {
    std::vector<std::string> args;
    const char* refused;  // nullptr: none
  } cases[] = {
      {{"--rw=read", "--size", "5"}, nullptr},
      {{"-x", "-rw", "word", "-"}, nullptr},
      {{"--rwx"}, "--rwx"},
      {{"--rwx=1"}, "--rwx"},
      {{"--size=1", "--Size"}, "--Size"},
      {{"--", "--anything"}, nullptr},
      {{"--="}, "the option --;"},
  };
  for (const auto& c : cases) {
    PayloadPlan plan = Plan(kJson);
    for (const std::string& arg : c.args) plan.AddArg(arg);
    if (c.refused == nullptr) {
      EXPECT_OK(CheckPlan(plan)) << c.args[0];
      continue;
    }
    EXPECT_THAT(CheckPlan(plan),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("payload \"bench\" does not know"),
                               HasSubstr(c.refused),
                               HasSubstr("it knows --rw, --size"))));
  }
  PayloadPlan any = Plan(PayloadDef{"bench"});
  any.AddArg("--whatever");
  EXPECT_OK(CheckPlan(any));
}

TEST(PayloadPlanTest, CgroupsAndArgumentsAreWords) {
  for (std::string name : {std::string("a/../b"), std::string("."),
                           std::string("a//b"), std::string("a\0b", 3)}) {
    PayloadPlan plan = Plan(kJson);
    plan.cgroup = name;
    EXPECT_THAT(CheckPlan(plan), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  PayloadPlan plan = Plan(kJson);
  plan.AddArg(std::string("a\0b", 3));
  EXPECT_THAT(CheckPlan(plan), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("zero byte")));
}

TEST(PayloadPlanTest, ProgramsAreFoundOnThePathByTheLastPartOfTheirName) {
  const std::string dir = ::testing::TempDir() + "/programs";
  ASSERT_OK(MakeDirs(dir));
  const std::string program = JoinPath(dir, "bench");
  ASSERT_OK(WriteFileAtomically(program, "#!/bin/sh\n"));
  const std::string path = absl::StrCat("/no_such_dir::", dir);
  // Not executable yet.
  EXPECT_THAT(FindPayloadProgram(kJson, path),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("no program bench on PATH"),
                             HasSubstr(dir), HasSubstr(".workloads"))));
  ASSERT_EQ(chmod(program.c_str(), 0755), 0);
  EXPECT_THAT(FindPayloadProgram(kJson, path), IsOkAndHolds(program));
  EXPECT_THAT(FindPayloadProgram(kJson.program("out/bench"), path),
              IsOkAndHolds(program));
  EXPECT_THAT(FindPayloadProgram(PayloadDef{"x"}.program("/bin/sh"), ""),
              IsOkAndHolds("/bin/sh"));
  EXPECT_THAT(FindPayloadProgram(PayloadDef{"programs"}, ::testing::TempDir()),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST(PayloadPlanTest, EveryCheckSaysMetricValueAndBound) {
  const std::string out = R"({"iops": 95, "lat": {"p99": 2.5}})";
  const struct {
    PCheck check;
    const char* finding;
  } cases[] = {
      {PCheck::min("iops", 95), ""},
      {PCheck::min("iops", 95.5),
       "payload bench: metric iops is 95, wanted at least 95.5"},
      {PCheck::max("lat.p99", 2.5), ""},
      {PCheck::max("lat.p99", 2),
       "payload bench: metric lat.p99 is 2.5, wanted at most 2"},
      {PCheck::range("iops", 95, 95), ""},
      {PCheck::range("iops", 10, 94),
       "payload bench: metric iops is 95, wanted from 10 to 94"},
      {PCheck::range("iops", 96, 100),
       "payload bench: metric iops is 95, wanted from 96 to 100"},
      {PCheck::exists("lat.p99"), ""},
      {PCheck::exists("lat"),
       "payload bench: metric lat is missing, wanted any value; its output had "
       "2: iops, lat.p99"},
      {PCheck::min("p99", 1),
       "payload bench: metric p99 is missing, wanted at least 1; its output "
       "had 2: iops, lat.p99"},
      {PCheck::min("iops", std::numeric_limits<double>::quiet_NaN()),
       "payload bench: metric iops is 95, wanted at least nan"},
      {PCheck::exit_code(0), ""},
      {PCheck::exit_code(3), "payload bench: exit code 0, wanted exit code 3"},
  };
  for (const auto& c : cases) {
    PayloadResult result = Conclude(PlanWith({c.check}), {.out = out});
    EXPECT_EQ(Messages(result), c.finding);
    EXPECT_EQ(result.passed(), *c.finding == '\0');
  }
}

TEST(PayloadPlanTest, EveryCheckThatFailsIsAFinding) {
  PayloadPlan plan =
      PlanWith({PCheck::min("a", 2), PCheck::min("b", 2), PCheck::exists("c")});
  plan.cgroup = "cg_0";
  PayloadResult result = Conclude(plan, {.out = R"({"a":1,"b":3})"});
  ASSERT_THAT(result.findings, SizeIs(2));
  EXPECT_EQ(result.findings[0].kind, FindingKind::kOther);
  EXPECT_EQ(result.findings[0].cgroup, "cg_0");
}

TEST(PayloadPlanTest, AnExitCodeComesBeforeEverythingAndQuotesTheError) {
  PayloadPlan plan = PlanWith({PCheck::min("a", 2), PCheck::exit_code(0)});
  PayloadEnding ending{.exit = {.code = 3},
                       .out = R"({"a":1})",
                       .err = std::string(5000, 'x') + "no such disk\n"};
  PayloadResult result = Conclude(plan, ending);
  ASSERT_THAT(result.findings, SizeIs(1));
  const std::string& message = result.findings[0].message;
  EXPECT_THAT(message, HasSubstr("payload bench: exit code 3, wanted exit code "
                                 "0; its standard error ended: xxxx"));
  EXPECT_THAT(message, ::testing::EndsWith("no such disk"));
  EXPECT_LT(message.size(), 1200);
  // Measured all the same.
  EXPECT_EQ(result.metric("a"), 1);
}

TEST(PayloadPlanTest, ASignalIsExitCodeMinusOneAndNamed) {
  PayloadResult result = Conclude(PlanWith({PCheck::exit_code(0)}),
                                  {.exit = {.code = 0, .signal = SIGSEGV}});
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_EQ(result.signal, SIGSEGV);
  EXPECT_THAT(Messages(result),
              HasSubstr("exit code -1 (killed by signal 11 (Segmentation "
                        "fault)), wanted exit code 0"));
  EXPECT_TRUE(
      Conclude(PlanWith({PCheck::exit_code(-1)}), {.exit = {.signal = SIGSEGV}})
          .passed());
}

TEST(PayloadPlanTest, ATimeLimitIsNoFailureInItself) {
  PayloadEnding ending{.exit = {.signal = SIGKILL},
                       .limit = absl::Seconds(5),
                       .out = R"({"a":1})"};
  PayloadResult result = Conclude(PlanWith({PCheck::min("a", 1)}), ending);
  EXPECT_TRUE(result.passed());
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_THAT(Messages(Conclude(PlanWith({PCheck::exit_code(0)}), ending)),
              HasSubstr("killed at its time limit of 5s"));
}

TEST(PayloadPlanTest, HowTheTestEndedAProgramIsNotHeldAgainstIt) {
  PayloadEnding ending{
      .exit = {.signal = SIGTERM}, .is_by_test = true, .out = R"({"a":1})"};
  PayloadResult result =
      Conclude(PlanWith({PCheck::exit_code(0), PCheck::min("a", 2)}), ending);
  EXPECT_EQ(Messages(result),
            "payload bench: metric a is 1, wanted at least 2");
}

TEST(PayloadPlanTest, HintsGiveMetricsTheirUnitAndPolarity) {
  PayloadResult result =
      Conclude(Plan(kJson), {.out = R"({"iops": 5, "other": 6})"});
  ASSERT_THAT(result.metrics, SizeIs(2));
  EXPECT_EQ(result.metrics[0].unit, "1/s");
  EXPECT_EQ(result.metrics[0].polarity.kind, Polarity::Kind::kHigherBetter);
  EXPECT_EQ(result.metrics[1].unit, "");
  EXPECT_EQ(result.metrics[1].polarity.kind, Polarity::Kind::kUnknown);
}

TEST(PayloadPlanTest, StandardErrorIsReadOnlyWhenTheOutputHasNone) {
  PayloadResult result =
      Conclude(Plan(kJson), {.out = R"({"a":1})", .err = R"({"b":2})"});
  ASSERT_THAT(result.metrics, SizeIs(1));
  EXPECT_EQ(result.metrics[0].stream, PayloadMetric::Stream::kStdout);
  result = Conclude(Plan(kJson), {.out = "{}\n", .err = R"({"b":2})"});
  ASSERT_THAT(result.metrics, SizeIs(1));
  EXPECT_EQ(result.metrics[0].name, "b");
  EXPECT_EQ(result.metrics[0].stream, PayloadMetric::Stream::kStderr);
  result = Conclude(Plan(PayloadDef{"plain"}), {.out = R"({"a":1})"});
  EXPECT_THAT(result.metrics, IsEmpty());
}

TEST(PayloadPlanTest, TextIsReadByTheDefinitionsExtractor) {
  constexpr PayloadDef kText = PayloadDef{"text"}
                                   .text(&ReadNumbers)
                                   .metric("b", Polarity::lower_better(), "us");
  PayloadResult result = Conclude(
      Plan(kText), {.out = "number a 1.5\nnumber b 2\nnumber c inf\n"});
  ASSERT_THAT(result.metrics, SizeIs(2));
  EXPECT_EQ(result.metric("a"), 1.5);
  EXPECT_EQ(result.metrics[0].unit, "ms");
  EXPECT_EQ(result.metrics[1].unit, "us");
}

TEST(PayloadPlanTest, OutputIsReadableAndSaysWhatIsMissing) {
  PayloadResult result =
      Conclude(Plan(kJson), {.out = "a\xff\n", .err = "b", .err_dropped = 12});
  EXPECT_EQ(result.out, "a\xef\xbf\xbd\n");
  EXPECT_EQ(result.err, "b\n[12 more bytes were dropped]\n");
}

}  // namespace
}  // namespace ktstr::internal
