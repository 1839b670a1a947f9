// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/sandbox.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace ktstr::vmm {
namespace {

// Locks, heap, clocks, signals, ends, and what is written to descriptors that
// are open already.
constexpr int kEveryThread[] = {
    SCMP_SYS(futex),           SCMP_SYS(sched_yield),
    SCMP_SYS(nanosleep),       SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(munmap),
    SCMP_SYS(madvise),         SCMP_SYS(brk),
    SCMP_SYS(mremap),          SCMP_SYS(getrandom),
    SCMP_SYS(gettid),          SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getpid),          SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigprocmask),  SCMP_SYS(rt_sigreturn),
    SCMP_SYS(restart_syscall), SCMP_SYS(exit),
    SCMP_SYS(exit_group),      SCMP_SYS(read),
    SCMP_SYS(write),           SCMP_SYS(epoll_ctl),
    SCMP_SYS(timerfd_settime), SCMP_SYS(poll),
    SCMP_SYS(sendto),          SCMP_SYS(close),
};
constexpr int kMainOnly[] = {
    // ConsoleWriter::Finish() watches what the loop watched; the socket's path
    // goes.
    SCMP_SYS(unlink), SCMP_SYS(unlinkat),   SCMP_SYS(lseek),
    SCMP_SYS(fstat),  SCMP_SYS(newfstatat), SCMP_SYS(epoll_wait),
};
constexpr int kDevicesOnly[] = {
    SCMP_SYS(epoll_wait), SCMP_SYS(readv),      SCMP_SYS(writev),
    SCMP_SYS(recvfrom),   SCMP_SYS(sendmsg),    SCMP_SYS(accept4),
    SCMP_SYS(connect),    SCMP_SYS(shutdown),   SCMP_SYS(fcntl),
    SCMP_SYS(setsockopt), SCMP_SYS(getsockopt),
};
// What describes a vCPU after its end, besides running it.
constexpr unsigned long kKvmRequests[] = {KVM_RUN, KVM_GET_REGS, KVM_GET_SREGS,
                                          KVM_TRANSLATE};

absl::Status FromSeccomp(int error, const char* what) {
  if (error >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(-error, absl::StrCat("seccomp: ", what));
}

// Rules of one role.
class Builder {
 public:
  Builder() : context_(seccomp_init(SCMP_ACT_TRAP), seccomp_release) {}

  void Allow(absl::Span<const int> calls) {
    for (int call : calls) {
      Note(seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call, 0));
    }
  }
  // With argument `index` & `mask` == `value`.
  void AllowIf(int call, unsigned index, uint64_t mask, uint64_t value) {
    Note(seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call, 1,
                          SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, mask, value)));
  }

  // Fails without further consequence.
  void Deny(int call) {
    Note(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(EACCES), call, 0));
  }

  absl::StatusOr<std::vector<sock_filter>> Build() {
    ABSL_RETURN_IF_ERROR(FromSeccomp(error_, "rule"));
    UniqueFd file(memfd_create("seccomp", MFD_CLOEXEC));
    if (!file) return absl::ErrnoToStatus(errno, "seccomp: memfd_create");
    ABSL_RETURN_IF_ERROR(
        FromSeccomp(seccomp_export_bpf(context_.get(), file.get()), "export"));
    struct stat info;
    if (fstat(file.get(), &info) != 0) {
      return absl::ErrnoToStatus(errno, "seccomp: fstat");
    }
    std::vector<sock_filter> program(size_t(info.st_size) /
                                     sizeof(sock_filter));
    if (pread(file.get(), program.data(), size_t(info.st_size), 0) !=
        info.st_size) {
      return absl::ErrnoToStatus(errno, "seccomp: read");
    }
    return program;
  }

 private:
  void Note(int result) { error_ = std::min(error_, result); }

  std::unique_ptr<void, decltype(&seccomp_release)> context_;
  int error_ = 0;
};

absl::StatusOr<std::vector<sock_filter>> Compile(ThreadRole role) {
  Builder builder;
  builder.Allow(kEveryThread);
  // The C library's heap asks /proc how to shrink, and lives without an answer.
  builder.Deny(SCMP_SYS(openat));
  builder.AllowIf(SCMP_SYS(mmap), 2, PROT_EXEC, 0);
  builder.AllowIf(SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
  switch (role) {
    case ThreadRole::kMain:
      builder.Allow(kMainOnly);
      break;
    case ThreadRole::kDevices:
      builder.Allow(kDevicesOnly);
      builder.AllowIf(SCMP_SYS(socket), 0, ~uint64_t{0}, AF_UNIX);
      return builder.Build();
    case ThreadRole::kVcpu:
      break;
  }
  for (unsigned long request : kKvmRequests) {
    builder.AllowIf(SCMP_SYS(ioctl), 1, ~uint64_t{0}, request);
  }
  return builder.Build();
}

// In the thread that made the call: only what may run in a signal handler.
void OnRefusal(int, siginfo_t* info, void*) {
  char line[96] = "vmm: refused system call ";
  size_t size = strlen(line);
  char digits[12];
  size_t count = 0;
  for (unsigned call = unsigned(info->si_syscall); call > 0 || count == 0;
       call /= 10) {
    digits[count++] = char('0' + call % 10);
  }
  while (count > 0) line[size++] = digits[--count];
  line[size++] = '\n';
  (void)!write(STDERR_FILENO, line, size);
  _exit(Sandbox::kExitRefused);
}

}  // namespace

absl::StatusOr<Sandbox> Sandbox::Create() {
  Sandbox sandbox;
  for (ThreadRole role :
       {ThreadRole::kMain, ThreadRole::kDevices, ThreadRole::kVcpu}) {
    ABSL_ASSIGN_OR_RETURN(sandbox.programs_[size_t(role)], Compile(role));
  }
  struct sigaction action = {};
  action.sa_sigaction = OnRefusal;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGSYS, &action, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "sigaction");
  }
  return sandbox;
}

absl::Status Sandbox::Confine(ThreadRole role) const {
  const Program& instructions = programs_[size_t(role)];
  sock_fprog program = {
      .len = static_cast<unsigned short>(instructions.size()),
      // SAFETY: the kernel copies it and does not write.
      .filter = const_cast<sock_filter*>(instructions.data())};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    return absl::ErrnoToStatus(errno, "seccomp");
  }
  return absl::OkStatus();
}

}  // namespace ktstr::vmm
