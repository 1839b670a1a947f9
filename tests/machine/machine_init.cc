// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The whole user space of a guest that compares itself with what was declared:
// reads /machine.json, looks at sysfs, /proc, the kernel's log and CPUID on
// every CPU, lets lstopo draw the machine, and switches it off.
//
// Shape of its console: lines that begin with "| ".
//   | differs SENTENCE        at most 40
//   | compared N, D differ    always, unless broken
//   | vendor amd              or "other": as the guest takes its CPUs
//   | broken WHY              something could not even be looked at
//   | lstopo LINE             of lstopo's drawing
//   | done                    last of all
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "guestd/cpus.h"
#include "model/machine_spec.h"
#include "tests/guest/cpuid_report.h"
#include "tests/guest/topology_report.h"

namespace ktstr::machine_tests {
namespace {

constexpr uint64_t kMaxBytes = 4 << 20;
constexpr size_t kMaxShown = 40;
constexpr char kLstopo[] = "/usr/bin/lstopo-no-graphics";
constexpr absl::Duration kLstopoPatience = absl::Minutes(10);
// Log levels up to "warning".
constexpr int kWarning = 4;

void Say(absl::string_view line) {
  const std::string text = absl::StrCat("| ", line, "\n");
  WriteAll(STDOUT_FILENO, text).IgnoreError();
}

absl::Status Mount(const char* type, const char* where) {
  mkdir(where, 0755);
  if (mount(type, where, type, 0, nullptr) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("mount ", type));
}

// What the kernel warned of while it read tables and CPUID.
absl::Status CompareKernelLog(guest::Facts& facts) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd log,
                        OpenFile("/dev/kmsg", O_RDONLY | O_NONBLOCK));
  char record[8192];
  while (true) {
    const ssize_t size = read(log.get(), record, sizeof(record));
    if (size < 0 && errno == EPIPE) continue;  // overwritten meanwhile
    if (size < 0 && errno == EAGAIN) return absl::OkStatus();
    if (size <= 0) return absl::ErrnoToStatus(errno, "read /dev/kmsg");
    // "PRIORITY,SEQUENCE,...;TEXT"
    const absl::string_view text(record, size_t(size));
    const int level = atoi(record) & 7;
    for (absl::string_view subject :
         {"ACPI:", "ACPI BIOS", "ACPI Error", "ACPI Warning", "ACPI Exception",
          "SRAT", "SLIT", "HMAT", "hmat", "NUMA", "Firmware Bug", "CPUID",
          "opology", "APIC", "WARNING"}) {
      if (level > kWarning || !absl::StrContains(text, subject)) continue;
      facts.Report(
          absl::StrCat("the kernel warned: ", text.substr(text.find(';') + 1)));
      break;
    }
  }
}

absl::Status Compare(const MachineTopology& declared, bool cpus_came_late,
                     guest::Facts& facts) {
  guest::CompareCpus(declared, guest::ThisMachineIsAmd(), facts);
  guest::CompareNodes(declared, cpus_came_late, facts);
  ABSL_ASSIGN_OR_RETURN(std::string zones,
                        ReadFile("/proc/zoneinfo", kMaxBytes));
  guest::ComparePages(declared, zones, facts);
  ABSL_RETURN_IF_ERROR(guest::CompareCpuidOfThisMachine(declared, facts));
  return CompareKernelLog(facts);
}

absl::Status DrawTree() {
  if (!FileExists(kLstopo)) return absl::OkStatus();
  ABSL_ASSIGN_OR_RETURN(
      CommandOutput drawing,
      RunCommand({.argv = {kLstopo, "--of", "console", "--no-io"},
                  .extra_env = {"LD_LIBRARY_PATH=/usr/lib/ktstr"}},
                 kLstopoPatience));
  if (!drawing.exit.ok()) {
    return absl::InternalError(
        absl::StrCat("lstopo: ", drawing.exit.ToString(), ": ", drawing.err));
  }
  for (absl::string_view line :
       absl::StrSplit(drawing.out, '\n', absl::SkipEmpty())) {
    Say(absl::StrCat("lstopo ", line));
  }
  return absl::OkStatus();
}

absl::Status Run() {
  ABSL_RETURN_IF_ERROR(Mount("proc", "/proc"));
  ABSL_RETURN_IF_ERROR(Mount("sysfs", "/sys"));
  ABSL_ASSIGN_OR_RETURN(std::string json, ReadFile("/machine.json", kMaxBytes));
  ABSL_ASSIGN_OR_RETURN(MachineSpec spec, ParseMachineSpec(json));
  ABSL_ASSIGN_OR_RETURN(
      MachineTopology declared,
      MachineTopology::Create(spec.topology, spec.memory_mib, spec.details));
  ABSL_ASSIGN_OR_RETURN(std::string cmdline,
                        ReadFile("/proc/cmdline", kMaxBytes));
  const bool cpus_came_late = absl::StrContains(cmdline, "maxcpus=");
  ABSL_RETURN_IF_ERROR(guestd::BringUpCpus("/sys/devices/system/cpu"));
  guest::Facts facts("/sys/devices/system");
  ABSL_RETURN_IF_ERROR(Compare(declared, cpus_came_late, facts));
  const auto& differences = facts.differences();
  for (size_t i = 0; i < differences.size() && i < kMaxShown; ++i) {
    Say(absl::StrCat("differs ", differences[i]));
  }
  Say(absl::StrCat("compared ", facts.checked(), ", ", differences.size(),
                   " differ"));
  Say(guest::ThisMachineIsAmd() ? "vendor amd" : "vendor other");
  return DrawTree();
}

}  // namespace
}  // namespace ktstr::machine_tests

int main() {
  const absl::Status status = ktstr::machine_tests::Run();
  if (!status.ok()) {
    ktstr::machine_tests::Say(absl::StrCat("broken ", status.message()));
  }
  ktstr::machine_tests::Say("done");
  reboot(RB_POWER_OFF);
  return 1;
}
