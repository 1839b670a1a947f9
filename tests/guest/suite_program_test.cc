// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A real suite binary, started the ways people and programs start it.
#include <stdlib.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/suite.pb.h"

namespace ktstr::guest {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

CommandOutput RunSuite(std::vector<std::string> args,
                       std::vector<std::string> environment = {}) {
  CommandSpec spec{.argv = {"tests/guest/topology"},
                   .extra_env = std::move(environment)};
  spec.argv.insert(spec.argv.end(), args.begin(), args.end());
  absl::StatusOr<CommandOutput> output =
      RunCommand(std::move(spec), absl::Minutes(1));
  EXPECT_OK(output);
  return output.ok() ? *output : CommandOutput{};
}

TEST(SuiteProgramTest, ListsItselfAsOneDescription) {
  CommandOutput output = RunSuite({"--ktstr-list"});
  EXPECT_EQ(output.exit.code, 0);
  v1::SuiteDescription suite;
  ASSERT_TRUE(suite.ParseFromString(output.out));
  EXPECT_EQ(suite.name(), "topology");
  EXPECT_EQ(suite.arch(), "x86_64");
  ASSERT_EQ(suite.tests_size(), 3);
  EXPECT_EQ(suite.tests(0).name(), "dedicated");
  EXPECT_TRUE(suite.tests(0).performance_mode());
  EXPECT_EQ(suite.tests(1).name(), "empty");
  EXPECT_FALSE(suite.tests(1).performance_mode());
  EXPECT_EQ(suite.tests(2).name(), "matches_declaration");
  EXPECT_EQ(suite.tests(2).topology(), "1n2l2c2t");
}

TEST(SuiteProgramTest, HelpNamesTheTests) {
  CommandOutput output = RunSuite({"--help"});
  EXPECT_EQ(output.exit.code, 0);
  EXPECT_THAT(output.out, HasSubstr("empty"));
  EXPECT_THAT(output.out, HasSubstr("matches_declaration"));
}

TEST(SuiteProgramTest, AnUnknownTestIsAUsageError) {
  CommandOutput output = RunSuite({"--ktstr-run", "nonsense"});
  EXPECT_EQ(output.exit.code, 2);
  EXPECT_THAT(output.err, HasSubstr("there is no test \"nonsense\""));
}

TEST(SuiteProgramTest, ABrokenEnvironmentIsAUsageError) {
  CommandOutput output =
      RunSuite({"--ktstr-run", "empty"}, {"KTSTR_WORKERS=many"});
  EXPECT_EQ(output.exit.code, 2);
  EXPECT_THAT(output.err, HasSubstr("KTSTR_WORKERS=\"many\""));
}

TEST(SuiteProgramTest, StartedByHandItSubmitsItself) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("suite_program"));
  std::string controller = JoinPath(dir.path(), "ktstrctl");
  ASSERT_OK(WriteFileAtomically(controller,
                                "#!/bin/sh\nfor a; do echo \"[$a]\"; done\n"
                                "exit 1\n",
                                0755));
  CommandOutput output = RunSuite({"--preset", "tiny 1llc"},
                                  {absl::StrCat("KTSTR_CTL=", controller)});
  EXPECT_EQ(output.exit.code, 1) << output.err;
  EXPECT_THAT(output.out, HasSubstr("[submit]\n["));
  EXPECT_THAT(output.out, HasSubstr("/topology]\n[--preset]\n[tiny 1llc]\n"));
}

TEST(SuiteProgramTest, FindsTheControllerOnPath) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("suite_program"));
  ASSERT_OK(WriteFileAtomically(JoinPath(dir.path(), "ktstrctl"),
                                "#!/bin/sh\nexit 3\n", 0755));
  EXPECT_EQ(
      RunSuite({}, {absl::StrCat("PATH=", dir.path(), ":/bin")}).exit.code, 3);
}

TEST(SuiteProgramTest, WithoutAControllerItSaysWhereToPutOne) {
  CommandOutput output = RunSuite({}, {"PATH=/nowhere"});
  EXPECT_EQ(output.exit.code, 3);
  EXPECT_THAT(output.out, IsEmpty());
  EXPECT_THAT(output.err, HasSubstr("set KTSTR_CTL"));
}

}  // namespace
}  // namespace ktstr::guest
