// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "tests/lib/linux_guest.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "hostd/initramfs.h"

namespace ktstr {
namespace {

// Of calling_init.
constexpr int kHelloPort = 1024;
constexpr absl::Duration kPatience = absl::Seconds(10);

absl::StatusOr<UniqueFd> MakeArchive(const std::string& init) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, MemoryFile("archive"));
  hostd::CpioWriter writer(fd.get());
  ABSL_RETURN_IF_ERROR(writer.AddCharDevice("/dev/console", 5, 1));
  ABSL_RETURN_IF_ERROR(writer.AddFileFromPath("/init", init, 0755));
  ABSL_RETURN_IF_ERROR(writer.Finish());
  return fd;
}

// The host's end of init's call; nobody accepts it.
absl::StatusOr<UniqueFd> Listen(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is too long"));
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // SAFETY: the sockets interface takes every address as a sockaddr.
  if (!fd ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
           sizeof(address)) != 0 ||
      listen(fd.get(), 1) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("listen at ", path));
  }
  return fd;
}

absl::StatusOr<std::string> Content(const UniqueFd& fd) {
  if (lseek(fd.get(), 0, SEEK_SET) < 0) {
    return absl::ErrnoToStatus(errno, "lseek");
  }
  return ReadAll(fd.get());
}

}  // namespace

absl::StatusOr<LinuxGuestRun> Boot(const LinuxGuest& guest) {
  constexpr int kMachineFd = 3, kKernelFd = 4, kInitrdFd = 5, kConsoleFd = 6,
                kReportFd = 7;
  ABSL_ASSIGN_OR_RETURN(TempDir dir, TempDir::Create("linux-guest-"));
  MachineSpec spec;
  ABSL_ASSIGN_OR_RETURN(spec.topology, Topology::Create(1, 1, guest.cpus, 1));
  spec.memory_mib = guest.memory_mib;
  spec.kernel_fd = kKernelFd;
  spec.initrd_fds = {kInitrdFd};
  spec.console = guest.console;
  spec.console_fd = kConsoleFd;
  spec.report_fd = kReportFd;
  spec.vsock_path = JoinPath(dir.path(), "v");
  spec.cmdline = absl::StrCat("rdinit=/init ", guest.cmdline);
  spec.deadline = guest.deadline;
  ABSL_ASSIGN_OR_RETURN(UniqueFd listener,
                        Listen(absl::StrCat(spec.vsock_path, "_", kHelloPort)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd machine,
                        MemoryFile("machine", FormatMachineSpec(spec)));
  ABSL_ASSIGN_OR_RETURN(UniqueFd kernel, OpenFile(guest.kernel, O_RDONLY));
  ABSL_ASSIGN_OR_RETURN(UniqueFd initrd,
                        MakeArchive(JoinPath(guest.programs, "calling_init")));
  ABSL_ASSIGN_OR_RETURN(UniqueFd console, MemoryFile("console"));
  ABSL_ASSIGN_OR_RETURN(UniqueFd report, MemoryFile("report"));
  const absl::Duration start = RealClock().Monotonic();
  ABSL_ASSIGN_OR_RETURN(
      Subprocess vmm,
      Subprocess::Start({.argv = {JoinPath(guest.programs, "vmm"),
                                  "--machine-fd", absl::StrCat(kMachineFd)},
                         .inherited_fds = {{machine.get(), kMachineFd},
                                           {kernel.get(), kKernelFd},
                                           {initrd.get(), kInitrdFd},
                                           {console.get(), kConsoleFd},
                                           {report.get(), kReportFd}}}));
  ABSL_ASSIGN_OR_RETURN(ExitStatus exit,
                        vmm.WaitFor(guest.deadline + kPatience));
  LinuxGuestRun run;
  ABSL_ASSIGN_OR_RETURN(run.console, Content(console));
  ABSL_ASSIGN_OR_RETURN(std::string lines, Content(report));
  for (absl::string_view line :
       absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    ABSL_ASSIGN_OR_RETURN(MachineEvent event, ParseMachineEvent(line));
    if (event.name == "vsock-connect") run.hello = event.at - start;
    if (event.name == "end") run.end = event;
  }
  if (!exit.ok()) {
    return absl::InternalError(
        absl::StrCat("vmm: ", exit.ToString(), ": ", run.end.detail));
  }
  return run;
}

}  // namespace ktstr
