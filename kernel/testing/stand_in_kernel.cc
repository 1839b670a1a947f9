// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/testing/stand_in_kernel.h"

#include <stdlib.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gtest/gtest.h"
#include "kconfig/fragments.h"
#include "kconfig/merge.h"
#include "kernel/testing/tiny_kernel.h"

namespace ktstr::kernel {
namespace {

// Behaves like the kernel's make as far as the builder looks: it reads
// `behaviour` beside itself and installs the prepared vmlinux.
constexpr char kMake[] = R"(#!/bin/sh
here=$(dirname "$0")
. "$here/behaviour"
for arg; do
  case $arg in
    tinyconfig)
      $during_config
      echo "CONFIG_TINY=y" > .config ;;
    olddefconfig) sed -i "/$drop/d" .config ;;
    bzImage)
      echo "$*" >> "$here/compilations"
      echo "  CC      kernel/fork.o"
      echo "  CC      kernel/exit.o"
      $during_compile
      cp "$here/vmlinux" vmlinux
      mkdir -p arch/x86/boot && echo packed > arch/x86/boot/bzImage ;;
    scx_*)
      [ -z "$fail_schedulers" ] || exit 3
      mkdir -p tools/sched_ext/build/bin
      echo "program $*" > "tools/sched_ext/build/bin/$arg" ;;
  esac
done
)";

}  // namespace

StandInTools::StandInTools(std::string dir) : dir_(std::move(dir)) {
  EXPECT_OK(MakeDirs(Bin("")));
  path_ = absl::StrCat(dir_, "/bin:", getenv("PATH"));
  Program("make", kMake);
  for (const char* name : {"pahole", "flex", "bison", "bc", "clang-19",
                           "llc-19", "llvm-strip-19"}) {
    Program(name, "#!/bin/sh\n");
  }
  Program("gcc", "#!/bin/sh\necho 12\n");
  Behave("");
  PrepareRelease("6.12.117");
}

std::string StandInTools::Bin(absl::string_view name) const {
  return absl::StrCat(dir_, "/bin/", name);
}

void StandInTools::Program(const std::string& name, absl::string_view script) {
  EXPECT_OK(WriteFileAtomically(Bin(name), script, 0755));
}

void StandInTools::RemoveProgram(const std::string& name) {
  EXPECT_OK(RemoveTree(Bin(name)));
}

void StandInTools::Behave(absl::string_view assignments) {
  EXPECT_OK(WriteFileAtomically(
      Bin("behaviour"),
      absl::StrCat("drop='^$' during_config=: during_compile=: "
                   "fail_schedulers=\n",
                   assignments)));
}

void StandInTools::PrepareVmlinux(const std::string& config,
                                  const std::string& release) {
  EXPECT_OK(WriteFileAtomically(
      Bin("vmlinux"),
      MakeTinyVmlinux(
          {.release = release, .config = config, .debug_bytes = 100000})));
}

void StandInTools::PrepareRelease(const std::string& release) {
  PrepareVmlinux(kconfig::MergeFragments(kconfig::EmbeddedFragments())->text,
                 release);
}

int StandInTools::compilations() const {
  auto log = ReadFile(Bin("compilations"));
  return log.ok() ? std::count(log->begin(), log->end(), '\n') : 0;
}

void WriteStandInTree(const std::string& dir, absl::string_view version) {
  const std::vector<std::string> numbers = absl::StrSplit(version, '.');
  auto write = [&dir](absl::string_view name, absl::string_view text) {
    const std::string path = JoinPath(dir, name);
    EXPECT_OK(MakeDirs(std::string(Dirname(path))));
    EXPECT_OK(WriteFileAtomically(path, text));
  };
  write("Makefile", absl::StrCat("VERSION = ", numbers[0],
                                 "\nPATCHLEVEL = ", numbers[1], "\nSUBLEVEL = ",
                                 numbers.size() > 2 ? numbers[2] : "0", "\n"));
  for (const char* name :
       {"Kconfig", "kernel/sched/core.c", "include/linux/sched.h"}) {
    write(name, "");
  }
}

void PackStandInTree(const std::string& file, const std::string& top,
                     absl::string_view version) {
  auto dir = TempDir::Create("stand-in");
  ASSERT_OK(dir.status());
  WriteStandInTree(JoinPath(dir->path(), top), version);
  RunOrDie({"tar", "--create", absl::EndsWith(file, ".gz") ? "--gzip" : "--xz",
            "--file", file, "--directory", dir->path(), top});
}

std::string RunOrDie(const std::vector<std::string>& argv) {
  CommandSpec command;
  command.argv = argv;
  auto output = RunCommand(command, absl::Minutes(1));
  EXPECT_OK(output.status());
  if (!output.ok()) return "";
  EXPECT_TRUE(output->exit.ok()) << argv[0] << ": " << output->err;
  return output->out;
}

}  // namespace ktstr::kernel
