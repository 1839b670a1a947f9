// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/console.h"

#include <stdlib.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::hostd {
namespace {

using ::testing::HasSubstr;

std::string LogDir() {
  return JoinPath(JoinPath(getenv("TEST_SRCDIR"), getenv("TEST_WORKSPACE")),
                  "hostd/testdata");
}

PanicKind KindOf(const std::string& name) {
  const std::map<std::string, PanicKind> kinds = {
      {"", PanicKind::kNone},
      {"kernel", PanicKind::kKernel},
      {"no-init", PanicKind::kNoInit},
      {"init-died", PanicKind::kInitDied},
      {"out-of-memory", PanicKind::kOutOfMemory}};
  return kinds.at(name);
}

// A log file: "field: expected" lines, an empty line, the console. A field that
// is not named is expected to be empty.
struct Golden {
  std::map<std::string, std::string> expected;
  std::string console;
};

Golden Load(const std::string& path) {
  std::string text = *ReadFile(path);
  size_t end = text.find("\n\n");
  Golden golden = {.expected = {}, .console = text.substr(end + 2)};
  for (absl::string_view line :
       absl::StrSplit(text.substr(0, end), '\n', absl::SkipEmpty())) {
    std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(": ", 1));
    golden.expected.insert(parts);
  }
  return golden;
}

ConsoleFacts Judge(absl::string_view text, size_t piece) {
  Console console;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    console.Append(text.substr(0, piece));
  }
  console.Finish();
  return console.facts();
}

void ExpectFacts(Golden golden, const ConsoleFacts& facts) {
  auto& expected = golden.expected;
  EXPECT_EQ(facts.panic, expected["panic"]);
  EXPECT_EQ(facts.panic_kind, KindOf(expected["panic_kind"]));
  EXPECT_EQ(facts.oops, expected["oops"]);
  EXPECT_EQ(facts.lockup, expected["lockup"]);
  EXPECT_EQ(facts.sched_ext, expected["sched_ext"]);
  EXPECT_EQ(facts.unpacking, expected["unpacking"]);
  EXPECT_EQ(facts.bytes, golden.console.size());
}

TEST(ConsoleTest, JudgesEveryLogInTestdata) {
  ASSERT_OK_AND_ASSIGN(std::vector<std::string> names, ListDir(LogDir()));
  int logs = 0;
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, ".log")) continue;
    ++logs;
    Golden golden = Load(JoinPath(LogDir(), name));
    // Whole, in the pieces a pipe may give, and byte by byte.
    for (size_t piece : {size_t{1} << 20, size_t{7}, size_t{1}}) {
      SCOPED_TRACE(name);
      ExpectFacts(golden, Judge(golden.console, piece));
    }
  }
  EXPECT_GT(logs, 8);
}

TEST(ConsoleTest, KeepsTheEndOfALongConsole) {
  Console console;
  for (int i = 0; i < 20000; ++i) {
    console.Append("a line of some length, again and again\n");
  }
  console.Append("the end");
  EXPECT_EQ(console.tail().size(), Console::kTailBytes);
  EXPECT_TRUE(absl::EndsWith(console.tail(), "the end"));
}

TEST(ConsoleTest, JudgesALineWithoutEndOnlyByItsFirstBytes) {
  Console console;
  console.Append("Kernel panic - not syncing: " + std::string(1 << 20, 'z'));
  EXPECT_EQ(console.facts().panic, "");
  console.Append("\n");
  EXPECT_EQ(console.facts().panic_kind, PanicKind::kKernel);
  EXPECT_LT(console.facts().panic.size(), 300u);
}

TEST(ConsoleTest, MakesHostileBytesPrintable) {
  Console console;
  console.Append("Kernel panic - not syncing: \x1b[2J\xff\xfe bye\r\n");
  EXPECT_EQ(console.facts().panic, "Kernel panic - not syncing: ?[2J?? bye");
}

TEST(ConsoleTest, LearnsFromTheLogWhatTheConsoleDidNotSay) {
  Console console;
  console.Append("guestd: powering off\n");
  console.Finish();
  console.LearnFrom(
      "[    1.5] sched_ext: BPF scheduler \"x\" disabled (unregistered)\n"
      "[    1.6] BUG: workqueue lockup - pool cpus=0\n");
  EXPECT_EQ(console.facts().sched_ext,
            "sched_ext: BPF scheduler \"x\" disabled (unregistered)");
  EXPECT_EQ(console.facts().lockup, "BUG: workqueue lockup - pool cpus=0");
  EXPECT_EQ(console.facts().last_line, "guestd: powering off");
  EXPECT_EQ(console.tail(), "guestd: powering off\n");
}

TEST(ConsoleTest, StripsOnlyWhatTheKernelPutsInFront) {
  EXPECT_EQ(StripKernelPrefix("<4>[    1.5][    C0] words"), "words");
  EXPECT_EQ(StripKernelPrefix("[drm] words"), "[drm] words");
  EXPECT_EQ(StripKernelPrefix("[    1.5] [words]"), "[words]");
}

}  // namespace
}  // namespace ktstr::hostd
