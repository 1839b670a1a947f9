// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Boots every machine of the catalogue on a real kernel, vmm alone without the
// fleet, and lets it compare itself with its declaration (machine_init.cc).
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/elf_libraries.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/status_matchers.h"
#include "base/subprocess.h"
#include "gtest/gtest.h"
#include "hostd/initramfs.h"
#include "tests/machine/catalogue.h"
#include "tests/machine/lstopo_tree.h"

namespace ktstr::machine_tests {
namespace {

constexpr int kMachineFd = 3, kKernelFd = 4, kInitrdFd = 5;
constexpr absl::Duration kPatience = absl::Minutes(20);
constexpr char kLstopo[] = "/usr/bin/lstopo-no-graphics";
// Beyond this many, CPUs are brought up by init: until the kernel trusts its
// clock idle CPUs tick, and on a small host nothing else gets done.
constexpr int kMostCpusAtBoot = 24;

std::string Needed(const char* name) {
  const char* value = getenv(name);
  if (value != nullptr && *value != 0) return value;
  fprintf(stderr, "machine_test: %s is not set; start it by run.sh\n", name);
  exit(2);
}

absl::Status WriteArchive(int fd, const std::string& machine_json) {
  hostd::CpioWriter writer(fd);
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/console", 5, 1));
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/kmsg", 1, 11));
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/null", 1, 3));
  ABSL_RETURN_IF_ERROR(writer.AddFile("/machine.json", machine_json));
  ABSL_RETURN_IF_ERROR(writer.AddFileFromPath(
      "/init", JoinPath(Needed("KTSTR_E2E_BIN"), "machine_init"), 0755));
  ABSL_RETURN_IF_ERROR(writer.AddFileFromPath(kLstopo, kLstopo, 0755));
  ABSL_ASSIGN_OR_RETURN(std::vector<ElfLibrary> libraries,
                        ElfLibrariesOf(kLstopo));
  for (const ElfLibrary& library : libraries) {
    ABSL_RETURN_IF_ERROR(
        writer.AddFileFromPath(library.guest_path, library.host_path, 0755));
  }
  return writer.Finish();
}

struct Report {
  std::vector<std::string> differences;
  std::string summary;
  std::string drawing;
  bool is_amd = false;
  bool is_done = false;
};

Report ParseConsole(absl::string_view console) {
  Report report;
  for (absl::string_view line : absl::StrSplit(console, '\n')) {
    line = absl::StripSuffix(line, "\r");
    if (!absl::ConsumePrefix(&line, "| ")) continue;
    if (absl::ConsumePrefix(&line, "lstopo ")) {
      absl::StrAppend(&report.drawing, line, "\n");
    } else if (absl::ConsumePrefix(&line, "compared ")) {
      report.summary = std::string(line);
    } else if (absl::ConsumePrefix(&line, "vendor ")) {
      report.is_amd = line == "amd";
    } else if (line == "done") {
      report.is_done = true;
    } else {
      report.differences.emplace_back(line);
    }
  }
  return report;
}

absl::StatusOr<std::string> Boot(const CatalogueMachine& machine) {
  MachineSpec spec = machine.Spec();
  const std::string declared = FormatMachineSpec(spec);
  ABSL_ASSIGN_OR_RETURN(UniqueFd initrd, MemoryFile("initrd", ""));
  ABSL_RETURN_IF_ERROR(WriteArchive(initrd.get(), declared));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel,
                        OpenFile(Needed("KTSTR_E2E_KERNEL"), O_RDONLY));
  spec.kernel_fd = kKernelFd;
  spec.initrd_fds = {kInitrdFd};
  spec.console_fd = 1;
  spec.console = ConsoleDevice::kVirtio;
  spec.deadline = kPatience;
  spec.cmdline = "loglevel=4 rdinit=/init";
  if (machine.topology.cpus() > kMostCpusAtBoot) spec.cmdline += " maxcpus=1";
  ABSL_ASSIGN_OR_RETURN(UniqueFd description,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(
      CommandOutput output,
      RunCommand({.argv = {JoinPath(Needed("KTSTR_E2E_BIN"), "vmm"),
                           "--machine-fd", absl::StrCat(kMachineFd)},
                  .inherited_fds = {{description.get(), kMachineFd},
                                    {kernel.get(), kKernelFd},
                                    {initrd.get(), kInitrdFd}}},
                 kPatience + absl::Seconds(10)));
  if (!output.exit.ok()) {
    return absl::InternalError(
        absl::StrCat("vmm: ", output.exit.ToString(), ": ", output.err));
  }
  return absl::StrCat(output.out, output.err);
}

class MachineTest : public ::testing::TestWithParam<CatalogueMachine> {};

TEST_P(MachineTest, GuestSeesWhatWasDeclared) {
  const absl::Duration start = RealClock().Monotonic();
  ASSERT_OK_AND_ASSIGN(const std::string console, Boot(GetParam()));
  const Report report = ParseConsole(console);
  printf("%s: compared %s in %.1f s\n", GetParam().name.c_str(),
         report.summary.c_str(),
         absl::ToDoubleSeconds(RealClock().Monotonic() - start));
  ASSERT_TRUE(report.is_done) << console;
  EXPECT_TRUE(report.differences.empty())
      << absl::StrJoin(report.differences, "\n");
  EXPECT_TRUE(absl::EndsWith(report.summary, ", 0 differ")) << report.summary;
  const std::vector<std::string> differences =
      CompareDrawing(GetParam().Resolved(), report.is_amd, report.drawing);
  EXPECT_TRUE(differences.empty()) << absl::StrJoin(differences, "\n") << "\n"
                                   << report.drawing;
}

INSTANTIATE_TEST_SUITE_P(Presets, MachineTest,
                         ::testing::ValuesIn(PresetMachines()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Details, MachineTest,
                         ::testing::ValuesIn(DetailedMachines()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr::machine_tests
