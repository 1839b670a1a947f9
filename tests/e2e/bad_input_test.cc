// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Bad input: one clear sentence, exit 2, nothing started.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kconfig/requirements.h"
#include "kernel/testing/tiny_kernel.h"
#include "tests/e2e/fleet.h"

namespace ktstr::e2e {
namespace {

using ::testing::HasSubstr;

class BadInputTest : public ::testing::Test {
 protected:
  // Expects exit 2, `expected` in one sentence on standard error, and an
  // unchanged machine.
  void ExpectRefused(std::vector<std::string> args,
                     const std::string& expected) {
    Footprint before = Footprint::Take();
    CommandSpec spec;
    spec.argv = {Program("ktstrctl"), "submit"};
    spec.argv.insert(spec.argv.end(), args.begin(), args.end());
    ASSERT_OK_AND_ASSIGN(CommandOutput output,
                         RunCommand(spec, absl::Minutes(1)));
    EXPECT_EQ(output.exit.code, 2) << output.err;
    EXPECT_THAT(output.err, HasSubstr(expected));
    std::vector<std::string> lines =
        absl::StrSplit(output.err, '\n', absl::SkipEmpty());
    EXPECT_LE(lines.size(), 2u) << output.err;
    EXPECT_EQ(Footprint::Take().BeyondThat(before), "");
  }

  std::string File(const char* name, const std::string& content) {
    std::string path = JoinPath(dir_.path(), name);
    EXPECT_OK(WriteFileAtomically(path, content, 0755));
    return path;
  }

  TempDir dir_ = *TempDir::Create("e2e-bad-");
};

TEST_F(BadInputTest, UnknownTest) {
  ExpectRefused({Program("topology"), "--kernel", KernelPath(), "--filter",
                 "matches_declaratoin"},
                "matches_declaratoin");
}

TEST_F(BadInputTest, UnknownPreset) {
  ExpectRefused(
      {Program("topology"), "--kernel", KernelPath(), "--preset", "tiny-1lcl"},
      "tiny-1lcl");
}

TEST_F(BadInputTest, TextFileAsSuite) {
  ExpectRefused({File("notes.txt", "hello\n"), "--kernel", KernelPath()},
                "notes.txt");
}

TEST_F(BadInputTest, SuiteForAnotherArchitecture) {
  ASSERT_OK_AND_ASSIGN(std::string elf, ReadFile(Program("topology")));
  elf[18] = static_cast<char>(183);  // e_machine = EM_AARCH64
  ExpectRefused({File("arm", elf), "--kernel", KernelPath()}, "aarch64");
}

TEST_F(BadInputTest, KernelPathWithoutImage) {
  ExpectRefused({Program("topology"), "--kernel", dir_.path()}, dir_.path());
}

TEST_F(BadInputTest, KernelWithoutSchedExt) {
  // Good for a guest, but not for that.
  std::string config = "# CONFIG_SCHED_CLASS_EXT is not set\n";
  for (const kconfig::RequiredOption& option : kconfig::RequiredOptions()) {
    if (option.requirement == kconfig::Requirement::kBoot ||
        option.requirement == kconfig::Requirement::kChannel) {
      absl::StrAppend(&config, "CONFIG_", option.option, "=y\n");
    }
  }
  std::string plain =
      File("vmlinux", kernel::MakeTinyVmlinux({.config = config}));
  ExpectRefused(
      {Program("topology"), "--kernel", plain, "--scheduler", SchedulerPath()},
      "SCHED_CLASS_EXT");
}

TEST_F(BadInputTest, KernelThatCannotRunAGuest) {
  std::string poor =
      File("vmlinux", kernel::MakeTinyVmlinux({.config = "CONFIG_SMP=y\n"}));
  ExpectRefused({Program("topology"), "--kernel", poor},
                "CONFIG_VSOCKETS is n, needs m or y: the guest cannot talk");
}

TEST_F(BadInputTest, UnreachableCoordinator) {
  ExpectRefused({Program("topology"), "--kernel", KernelPath(), "--coordinator",
                 "127.0.0.1:1"},
                "127.0.0.1:1");
}

TEST_F(BadInputTest, UnwritableOutputDirectory) {
  ExpectRefused({Program("topology"), "--kernel", KernelPath(), "--output",
                 File("file", "") + "/below"},
                "file");
}

}  // namespace
}  // namespace ktstr::e2e
