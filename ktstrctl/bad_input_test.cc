// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Everything that ktstrctl refuses: exit 2, one sentence, nothing started.
#include <sys/stat.h>

#include "absl/strings/str_split.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "ktstrctl/testing/command_line.h"

namespace ktstr::ktstrctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class BadInputTest : public CommandLineTest {
 protected:
  void ExpectRefused(const Finished& run, const std::string& expected) {
    EXPECT_EQ(run.code, 2) << run.out;
    EXPECT_THAT(run.out, IsEmpty());
    EXPECT_THAT(run.err, StartsWith("ktstrctl: error: "));
    EXPECT_THAT(run.err, HasSubstr(expected));
    EXPECT_THAT(run.err, Not(HasSubstr("\x1b")));
    std::vector<std::string> lines =
        absl::StrSplit(run.err, '\n', absl::SkipEmpty());
    EXPECT_EQ(lines.size(), 1u) << run.err;
    EXPECT_THAT(Leftovers(), IsEmpty());
    EXPECT_THAT(ResultFiles(), IsEmpty());
  }

  std::string MakeFile(const std::string& name, const std::string& content) {
    std::string path = JoinPath(dir_->path(), name);
    EXPECT_OK(WriteFileAtomically(path, content, 0755));
    return path;
  }
};

TEST_F(BadInputTest, UnknownCommandGetsASuggestion) {
  ExpectRefused(Run({"sumbit"}), "did you mean submit?");
  ExpectRefused(Run({}), "");
  ExpectRefused(Run({"submit"}), "suite");
  ExpectRefused(Run({"submit", suite_, "--bogus"}), "--bogus");
}

TEST_F(BadInputTest, UnknownTestGetsASuggestion) {
  ExpectRefused(Submit({"--filter", "pases"}), "did you mean passes");
  ExpectRefused(Submit({"--work-type", "YieldHevy"}),
                "fake_suite: --work-type: there is no work type \"YieldHevy\" "
                "(did you mean YieldHeavy?); there are CpuSpin, YieldHeavy");
}

TEST_F(BadInputTest, FilterThatMatchesNoVariant) {
  Finished run = Submit({"--filter", "nothing*", "--quiet"});
  ExpectRefused(run, "nothing*");
}

TEST_F(BadInputTest, UnknownPresetGetsASuggestion) {
  ExpectRefused(Submit({"--preset", "tiny-1lcl"}), "tiny-1llc");
}

TEST_F(BadInputTest, SuiteThatIsNone) {
  ExpectRefused(Run({"submit", MakeFile("notes.txt", "hello\n")}),
                "notes.txt is not an ELF program");
  ExpectRefused(Run({"submit", "/nonexistent/suite"}), "/nonexistent/suite");
  ExpectRefused(Run({"submit", "/bin/true"}), "not a ktstr suite");
}

TEST_F(BadInputTest, SuiteForAnotherArchitecture) {
  ASSERT_OK_AND_ASSIGN(std::string elf, ReadFile(suite_));
  elf[18] = static_cast<char>(183);  // e_machine = EM_AARCH64
  ExpectRefused(Run({"submit", MakeFile("arm", elf)}), "aarch64");
  ExpectRefused(Submit({}, {"FAKE_SUITE=aarch64"}), "aarch64");
}

TEST_F(BadInputTest, SuiteWithHostileList) {
  ExpectRefused(Submit({}, {"FAKE_SUITE=garbage"}), "no suite description");
  ExpectRefused(Submit({}, {"FAKE_SUITE=endless"}), "more than 16 MiB");
  ExpectRefused(Submit({}, {"FAKE_SUITE=crashes"}), "killed by signal 6");
  ExpectRefused(Submit({}, {"FAKE_SUITE=future"}), "format 99");
  ExpectRefused(Submit({}, {"FAKE_SUITE=empty"}), "no tests");
  ExpectRefused(Submit({}, {"FAKE_SUITE=twice"}), "two tests");
  ExpectRefused(Submit({}, {"FAKE_SUITE=slash"}), "a/b");
}

TEST_F(BadInputTest, KernelPathWithoutImage) {
  ExpectRefused(Run({"submit", suite_, "--kernel", dir_->path(), "--output",
                     output_dir_}),
                dir_->path());
  ExpectRefused(Run({"submit", suite_, "--kernel", "/nonexistent/vmlinux"}),
                "/nonexistent/vmlinux");
}

TEST_F(BadInputTest, KernelWithoutSchedExtForAScheduler) {
  ExpectRefused(Submit({"--scheduler", Built("ktstrctl/fake_hostd")}),
                "SCHED_CLASS_EXT");
}

TEST_F(BadInputTest, SchedulerThatIsNone) {
  ExpectRefused(Submit({"--scheduler", "scx_nothing"}), "scx_nothing");
  ExpectRefused(Submit({"--scheduler", MakeFile("text", "x")}), "text");
  ExpectRefused(Submit({"--scheduler", "default", "--scheduler", "default"}),
                "two schedulers");
  ExpectRefused(Submit({"--scheduler-arg=-v"}), "--scheduler-arg");
}

TEST_F(BadInputTest, UnreachableCoordinator) {
  ExpectRefused(Submit({"--quiet", "--coordinator", "127.0.0.1:1"}),
                "cannot reach coordinator at 127.0.0.1:1");
  ExpectRefused(Submit({"--quiet", "--coordinator", "unix:/nonexistent"}),
                "unix:/nonexistent");
  ExpectRefused(Submit({"--quiet", "--coordinator", "nonsense"}), "HOST:PORT");
  ExpectRefused(Run({"hosts", "--coordinator", "127.0.0.1:1"}), "127.0.0.1:1");
}

TEST_F(BadInputTest, UnwritableOutputDirectory) {
  std::string file = MakeFile("file", "");
  ExpectRefused(
      Run({"submit", suite_, "--kernel", kernel_, "--output", file + "/below"}),
      file);
  ExpectRefused(Submit({"--junit", file + "/junit.xml"}), file);
}

TEST_F(BadInputTest, NumbersOutOfRange) {
  ExpectRefused(Submit({"--max-attempts", "101"}), "101");
  ExpectRefused(Submit({"--max-attempts", "x"}), "x");
  ExpectRefused(Submit({"--seed=-1"}), "-1");
}

TEST_F(BadInputTest, ShellsThatCannotBe) {
  auto shell = [this](std::vector<std::string> args) {
    args.insert(args.begin(), {"shell", "--kernel", kernel_});
    return Run(args);
  };
  ExpectRefused(shell({}), "standard input is no terminal");
  ExpectRefused(shell({"--exec", ""}), "--exec needs a command");
  ExpectRefused(shell({"--exec", "x", "--topology", "1,2"}), "1,2");
  ExpectRefused(shell({"--exec", "x", "--topology", "tiny-1lcl"}), "tiny-1llc");
  ExpectRefused(shell({"--exec", "x", "--memory", "127"}), "--memory 127");
  ExpectRefused(shell({"--exec", "x", "--memory", "much"}), "much");
  ExpectRefused(shell({"--exec", "x", "--host", "h"}), "--coordinator");
  ExpectRefused(shell({"--exec", "x", "-i", "/nonexistent/f"}),
                "/nonexistent/f");
  ExpectRefused(shell({"--exec", "x", "--coordinator", "127.0.0.1:1"}),
                "cannot reach coordinator at 127.0.0.1:1");
  ExpectRefused(Run({"shell", "--exec", "x", "--kernel", "/nonexistent/k"}),
                "/nonexistent/k");
}

TEST_F(BadInputTest, MissingProgramsOfOurs) {
  Finished run = Submit({"--quiet"}, {"KTSTR_LIBEXEC=/nonexistent"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("/nonexistent"));
  EXPECT_THAT(Leftovers(), IsEmpty());
}

}  // namespace
}  // namespace ktstr::ktstrctl
