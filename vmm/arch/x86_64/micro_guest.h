// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_MICRO_GUEST_H_
#define KTSTR_VMM_ARCH_X86_64_MICRO_GUEST_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/kvm/vm.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// A guest of a few instructions that answers by a 32-bit write to its mailbox,
// which is the address in RBX.
struct MicroGuest {
  std::vector<uint8_t> code;
  // Where SYSCALL leads; may be empty.
  std::vector<uint8_t> syscall_code;
  bool is_user_mode = false;
};

// RAM of a micro-guest; the mailbox lies beyond, in the same 2 MiB page.
inline constexpr uint64_t kMicroGuestRamBytes = 0x100000;
inline constexpr uint64_t kMicroGuestMailbox = 0x180000;

// Executes `instructions` instructions in kernel mode, then answers 0.
MicroGuest KernelLoopGuest(uint32_t instructions);

// Starts in user mode, executes SYSCALL, answers with the code selector it
// finds there: its two low bits are the privilege level.
MicroGuest SyscallGuest();

// Writes code and page tables and makes a vCPU ready to run them in long mode.
absl::StatusOr<std::unique_ptr<Vcpu>> CreateMicroGuestVcpu(
    const Kvm& kvm, Vm& vm, GuestMemory& memory, const MicroGuest& guest);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_MICRO_GUEST_H_
