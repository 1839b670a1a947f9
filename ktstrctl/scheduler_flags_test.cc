// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/scheduler_flags.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::ktstrctl {
namespace {

using ::absl_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Listed(int count) {
  std::string list = "[";
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&list, i > 0 ? "," : "", "{\"name\":\"f", i, "\"}");
  }
  return list + "]";
}

TEST(ParseSchedulerFlagsTest, ReadsNamesArgumentsAndNeeds) {
  auto flags = ParseSchedulerFlags(
      R"([{"name": "llc", "args": ["--llc"], "requires": []},
          {"name": "steal", "args": ["--steal", "two words"],
           "requires": ["llc"], "unknown": 1},
          {"name": "bare"}])");
  ASSERT_OK(flags.status());
  ASSERT_THAT(*flags, SizeIs(3));
  EXPECT_EQ((*flags)[0].name, "llc");
  EXPECT_THAT((*flags)[1].args, ElementsAre("--steal", "two words"));
  EXPECT_THAT((*flags)[1].requires_flags, ElementsAre("llc"));
  EXPECT_THAT((*flags)[2].args, IsEmpty());
}

TEST(ParseSchedulerFlagsTest, TakesAtMostThirtyOne) {
  EXPECT_OK(ParseSchedulerFlags("[]").status());
  EXPECT_OK(ParseSchedulerFlags(Listed(31)).status());
  EXPECT_THAT(ParseSchedulerFlags(Listed(32)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("32 flags are listed")));
}

TEST(ParseSchedulerFlagsTest, SaysWhatIsWrongWithWhichEntry) {
  const struct {
    std::string text;
    const char* message;
  } kCases[] = {
      {"", "no JSON array"},
      {"usage: scx", "no JSON array"},
      {"{}", "no JSON array"},
      {std::string(100000, '['), "no JSON array"},
      {R"([{"name": "a"}, 7])", "entry 2 is no object"},
      {R"([{}])", "entry 1 has no \"name\""},
      {R"([{"name": 1}])", "entry 1 has no \"name\""},
      {R"([{"name": ""}])", "entry 1 has no \"name\""},
      {R"([{"name": "a b"}])", "entry 1 has no \"name\""},
      {R"([{"name": "a", "args": "--a"}])", "\"args\" is no array of texts"},
      {R"([{"name": "a", "requires": [1]}])",
       "\"requires\" is no array of texts"},
  };
  for (const auto& bad : kCases) {
    SCOPED_TRACE(bad.text.substr(0, 80));
    EXPECT_THAT(
        ParseSchedulerFlags(bad.text),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(bad.message)));
  }
}

TEST(ListSchedulerFlagsTest, AsksTheProgram) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("scheduler_flags"));
  const struct {
    const char* script;
    const char* message;  // empty: one flag is listed
    absl::Duration timeout = absl::Seconds(30);
  } kCases[] = {
      {"echo '[{\"name\": \"llc\"}]'", ""},
      {"test \"$1\" = --ktstr-list-flags && echo '[{\"name\": \"llc\"}]'", ""},
      {"echo unknown option >&2; exit 2", "exit code 2: unknown option"},
      {"sleep 1000", "did not end within 500ms", absl::Milliseconds(500)},
      {"exec yes", "more than 1048576 bytes"},
      {"echo hello", "no JSON array"},
  };
  for (const auto& program : kCases) {
    SCOPED_TRACE(program.script);
    std::string path = JoinPath(dir.path(), "scheduler");
    ASSERT_OK(WriteFileAtomically(
        path, absl::StrCat("#!/bin/sh\n", program.script, "\n")));
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    auto flags = ListSchedulerFlags(path, program.timeout);
    if (*program.message == '\0') {
      ASSERT_OK(flags.status());
      EXPECT_THAT(*flags, SizeIs(1));
    } else {
      EXPECT_THAT(flags, StatusIs(absl::StatusCode::kInvalidArgument,
                                  HasSubstr(program.message)));
    }
  }
}

}  // namespace
}  // namespace ktstr::ktstrctl
