// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/tracee.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/unique_fd.h"

namespace ktstr::guestd {
namespace {

bool WriteRegisters(pid_t tid, TraceeRegisters& registers) {
  iovec place = {.iov_base = &registers.raw, .iov_len = sizeof(registers.raw)};
  return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &place) == 0;
}

UniqueFd OpenMemory(pid_t tid, int flags) {
  std::string path = absl::StrCat("/proc/", tid, "/mem");
  return UniqueFd(open(path.c_str(), flags | O_CLOEXEC));
}

#if defined(__x86_64__)

constexpr uint32_t kNativeAbi = AUDIT_ARCH_X86_64;
constexpr uint64_t kSyscallBytes = 2;  // of the instruction SYSCALL

void SetSyscall(user_regs_struct& registers, uint64_t number,
                const std::array<uint64_t, 6>& args) {
  registers.orig_rax = number;
  registers.rdi = args[0];
  registers.rsi = args[1];
  registers.rdx = args[2];
  registers.r10 = args[3];
  registers.r8 = args[4];
  registers.r9 = args[5];
}

// -1 keeps the kernel from restarting an interrupted call by itself.
void Rewind(user_regs_struct& registers) {
  registers.rax = registers.orig_rax;
  registers.orig_rax = ~uint64_t{0};
  registers.rip -= kSyscallBytes;
}

#else

constexpr uint32_t kNativeAbi = 0;  // CanTraceHere() is false
void SetSyscall(user_regs_struct&, uint64_t, const std::array<uint64_t, 6>&) {}
void Rewind(user_regs_struct&) {}

#endif

}  // namespace

bool CanTraceHere() { return kNativeAbi != 0; }

absl::optional<SyscallStop> ReadSyscallStop(pid_t tid) {
  __ptrace_syscall_info info = {};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0 ||
      info.arch != kNativeAbi) {
    return absl::nullopt;
  }
  SyscallStop stop;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
    stop.is_entry = true;
    stop.number = info.entry.nr;
    std::copy(std::begin(info.entry.args), std::end(info.entry.args),
              stop.args.begin());
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    stop.result = info.exit.rval;
  } else {
    return absl::nullopt;
  }
  return stop;
}

absl::optional<TraceeRegisters> ReadRegisters(pid_t tid) {
  TraceeRegisters registers = {};
  iovec place = {.iov_base = &registers.raw, .iov_len = sizeof(registers.raw)};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &place) != 0 ||
      place.iov_len != sizeof(registers.raw)) {
    return absl::nullopt;
  }
  return registers;
}

bool ReplaceSyscall(pid_t tid, TraceeRegisters registers, uint64_t number,
                    const std::array<uint64_t, 6>& args) {
  SetSyscall(registers.raw, number, args);
  return WriteRegisters(tid, registers);
}

bool RepeatSyscall(pid_t tid, TraceeRegisters registers) {
  Rewind(registers.raw);
  return WriteRegisters(tid, registers);
}

// Not process_vm_readv(2): small kernels are built without it.
bool ReadMemory(pid_t tid, uint64_t address, absl::Span<char> out) {
  UniqueFd memory = OpenMemory(tid, O_RDONLY);
  return memory &&
         pread(memory.get(), out.data(), out.size(),
               static_cast<off_t>(address)) == static_cast<ssize_t>(out.size());
}

bool WriteMemory(pid_t tid, uint64_t address, absl::Span<const char> bytes) {
  UniqueFd memory = OpenMemory(tid, O_WRONLY);
  return memory && pwrite(memory.get(), bytes.data(), bytes.size(),
                          static_cast<off_t>(address)) ==
                       static_cast<ssize_t>(bytes.size());
}

}  // namespace ktstr::guestd
