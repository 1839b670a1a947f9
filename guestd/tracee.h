// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a ptrace(2) tracer does to one stopped thread. All that names a register
// is in tracee.cc.
#ifndef KTSTR_GUESTD_TRACEE_H_
#define KTSTR_GUESTD_TRACEE_H_

#include <sys/types.h>
#include <sys/user.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/optional.h"
#include "absl/types/span.h"

namespace ktstr::guestd {

// A stop at the entry to or the exit from a system call of the native ABI.
struct SyscallStop {
  bool is_entry = false;
  uint64_t number = 0;                // entry only
  std::array<uint64_t, 6> args = {};  // entry only
  int64_t result = 0;                 // exit only; -errno for an error
};

// The thread's registers, opaque outside tracee.cc.
struct TraceeRegisters {
  user_regs_struct raw;
};

// Whether this program knows the registers of the machine it was built for.
bool CanTraceHere();

// Each is nullopt or false when the thread has died meanwhile, or memory is not
// there.

// The stop the thread is in; nullopt also for another ABI.
absl::optional<SyscallStop> ReadSyscallStop(pid_t tid);

absl::optional<TraceeRegisters> ReadRegisters(pid_t tid);

// At an entry: another system call takes place instead.
bool ReplaceSyscall(pid_t tid, TraceeRegisters registers, uint64_t number,
                    const std::array<uint64_t, 6>& args);

// At an exit: the system call at whose entry `registers` were read is entered
// once more, as if for the first time.
bool RepeatSyscall(pid_t tid, TraceeRegisters registers);

// Copies between this process and the thread's memory: the whole span or false.
bool ReadMemory(pid_t tid, uint64_t address, absl::Span<char> out);
bool WriteMemory(pid_t tid, uint64_t address, absl::Span<const char> bytes);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_TRACEE_H_
