// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/testing/guest_run.h"

#include <unistd.h>

#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine.h"
#include "vmm/report.h"

namespace ktstr::vmm {
namespace {

// What a stream of the machine wrote; a file, unlike a pipe, never fills up.
absl::StatusOr<std::string> Rewound(int fd) {
  if (lseek(fd, 0, SEEK_SET) < 0) return absl::ErrnoToStatus(errno, "lseek");
  return ReadAll(fd);
}

}  // namespace

const MachineEvent* GuestRun::Find(absl::string_view event) const {
  for (const MachineEvent& candidate : events) {
    if (candidate.name == event) return &candidate;
  }
  return nullptr;
}

absl::StatusOr<GuestRun> RunGuest(const GuestProgram& program,
                                  MachineSpec spec) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel,
                        MemoryFile("kernel", program.BuildElf()));
  ABSL_ASSIGN_OR_RETURN(UniqueFd console, MemoryFile("console"));
  ABSL_ASSIGN_OR_RETURN(UniqueFd lines, MemoryFile("report"));
  spec.kernel_fd = kernel.get();
  spec.console_fd = console.get();
  if (spec.report_fd < 0) spec.report_fd = lines.get();
  if (spec.deadline == absl::ZeroDuration()) spec.deadline = absl::Seconds(10);
  Report report(spec.report_fd, &RealClock());
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Machine> machine,
                        Machine::Create(spec, &report));
  GuestRun run;
  run.outcome = machine->Run();
  report.EmitEnd(run.outcome);
  ABSL_ASSIGN_OR_RETURN(run.console, Rewound(console.get()));
  ABSL_ASSIGN_OR_RETURN(std::string text, Rewound(lines.get()));
  for (auto line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    ABSL_ASSIGN_OR_RETURN(run.events.emplace_back(), ParseMachineEvent(line));
  }
  return run;
}

std::string WhyNoKvm() {
  absl::StatusOr<std::unique_ptr<Kvm>> kvm = Kvm::Open();
  if (kvm.ok()) return "";
  return absl::StrCat("needs /dev/kvm: ", kvm.status().message());
}

}  // namespace ktstr::vmm
