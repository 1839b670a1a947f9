// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/testing/vmm_process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kMaxTextBytes = 1 << 16;

// What a file in memory holds; its writer's place in it stays.
absl::StatusOr<std::string> Content(const UniqueFd& file) {
  std::string text(kMaxTextBytes, '\0');
  const ssize_t size = pread(file.get(), text.data(), text.size(), 0);
  if (size < 0) return absl::ErrnoToStatus(errno, "pread");
  text.resize(size_t(size));
  return text;
}

}  // namespace

absl::StatusOr<VmmProcess> VmmProcess::Start(const GuestProgram& program,
                                             MachineSpec spec) {
  constexpr int kMachineFd = 3, kKernelFd = 4, kConsoleFd = 5, kReportFd = 6;
  spec.kernel_fd = kKernelFd;
  spec.console_fd = kConsoleFd;
  spec.report_fd = kReportFd;
  ABSL_ASSIGN_OR_RETURN(UniqueFd machine,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel,
                        MemoryFile("kernel", program.BuildElf()));
  ABSL_ASSIGN_OR_RETURN(UniqueFd report, MemoryFile("report"));
  ABSL_ASSIGN_OR_RETURN(UniqueFd errors, MemoryFile("errors"));
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  UniqueFd console(ends[0]), console_end(ends[1]);
  ABSL_ASSIGN_OR_RETURN(
      Subprocess vmm,
      Subprocess::Start(
          {.argv = {absl::StrCat(getenv("TEST_SRCDIR"), "/",
                                 getenv("TEST_WORKSPACE"), "/vmm/vmm"),
                    "--machine-fd", absl::StrCat(kMachineFd)},
           .inherited_fds = {{errors.get(), STDERR_FILENO},
                             {machine.get(), kMachineFd},
                             {kernel.get(), kKernelFd},
                             {console_end.get(), kConsoleFd},
                             {report.get(), kReportFd}}}));
  return VmmProcess(std::move(vmm), std::move(console), std::move(report),
                    std::move(errors));
}

absl::StatusOr<std::string> VmmProcess::Errors() const {
  return Content(errors_);
}

absl::StatusOr<MachineEvent> VmmProcess::End() const {
  ABSL_ASSIGN_OR_RETURN(std::string lines, Content(report_));
  for (absl::string_view line :
       absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    ABSL_ASSIGN_OR_RETURN(MachineEvent event, ParseMachineEvent(line));
    if (event.name == "end") return event;
  }
  return absl::NotFoundError("vmm's report has no end");
}

}  // namespace ktstr::vmm
