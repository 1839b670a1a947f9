// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/vmm_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/descriptor_passing.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "model/memory_map.h"

namespace ktstr::hostd {
namespace {

// What nobody can change any more.
absl::StatusOr<UniqueFd> SealedFile(const char* name, absl::string_view bytes) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, MemoryFile(name, bytes));
  constexpr int kSeals =
      F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    return absl::ErrnoToStatus(errno, "seal a memory file");
  }
  return fd;
}

// Numbers in the vmm process.
constexpr int kMachineFd = 3;
constexpr int kKernelFd = 4;
constexpr int kConsoleFd = 5;
constexpr int kReportFd = 6;
constexpr int kControlFd = 7;
constexpr int kFirstInitrdFd = 8;

// A guest that prints faster than hostd reads waits in this much of pipe.
constexpr int kConsolePipeBytes = 1 << 20;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  Pipe pipe = {UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "fcntl O_NONBLOCK");
  }
  return pipe;
}

MachineSpec WithDescriptors(MachineSpec machine, size_t initrds) {
  machine.kernel_fd = kKernelFd;
  machine.console_fd = kConsoleFd;
  machine.report_fd = kReportFd;
  machine.control_fd = kControlFd;
  machine.initrd_fds.clear();
  for (size_t i = 0; i < initrds; ++i) {
    machine.initrd_fds.push_back(kFirstInitrdFd + static_cast<int>(i));
  }
  return machine;
}

}  // namespace

absl::StatusOr<VmmProcess> VmmProcess::Start(const VmmOptions& options) {
  ABSL_ASSIGN_OR_RETURN(
      UniqueFd machine,
      SealedFile("machine", FormatMachineSpec(WithDescriptors(
                                options.machine, options.initrd_fds.size()))));
  ABSL_ASSIGN_OR_RETURN(Pipe console, MakePipe());
  ABSL_ASSIGN_OR_RETURN(Pipe report, MakePipe());
  ABSL_ASSIGN_OR_RETURN(Pipe errors, MakePipe());
  // A refusal (the user's pipe limit) only means less slack.
  fcntl(console.read.get(), F_SETPIPE_SZ, kConsolePipeBytes);
  int control[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0) {
    return absl::ErrnoToStatus(errno, "socketpair");
  }
  UniqueFd control_ours(control[0]);
  UniqueFd control_theirs(control[1]);
  ABSL_ASSIGN_OR_RETURN(UniqueFd null, OpenFile("/dev/null", O_RDONLY));

  CommandSpec command;
  command.argv = {options.program, "--machine-fd", absl::StrCat(kMachineFd),
                  "--attempt-epoch", absl::StrCat(options.epoch)};
  command.inherited_fds = {{null.get(), 0},
                           {errors.write.get(), 1},
                           {errors.write.get(), 2},
                           {machine.get(), kMachineFd},
                           {options.kernel_fd, kKernelFd},
                           {console.write.get(), kConsoleFd},
                           {report.write.get(), kReportFd},
                           {control_theirs.get(), kControlFd}};
  for (size_t i = 0; i < options.initrd_fds.size(); ++i) {
    command.inherited_fds.emplace_back(options.initrd_fds[i],
                                       kFirstInitrdFd + static_cast<int>(i));
  }
  ABSL_ASSIGN_OR_RETURN(Subprocess process, Subprocess::Start(command));
  VmmProcess vmm(std::move(process));
  vmm.console_ = std::move(console.read);
  vmm.report_ = std::move(report.read);
  vmm.stderr_ = std::move(errors.read);
  vmm.control_ = std::move(control_ours);
  return vmm;
}

absl::StatusOr<GuestRam> VmmProcess::ReceiveMemory() {
  if (!control_) {
    return absl::FailedPreconditionError("vmm has been told to stop");
  }
  ABSL_ASSIGN_OR_RETURN(PassedDescriptors received,
                        ReceiveDescriptors(control_.get(), kMaxMemoryMapBytes));
  return GuestRam::Create(received.bytes, std::move(received.fds));
}

void VmmProcess::RequestStop() {
  if (!control_) return;
  // The hang-up alone means the same; the byte makes the reason plain.
  send(control_.get(), "q", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  control_.Reset();
}

void VmmProcess::Kill() { process_.Kill(SIGKILL).IgnoreError(); }

}  // namespace ktstr::hostd
