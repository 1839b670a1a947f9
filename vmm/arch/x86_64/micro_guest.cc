// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/micro_guest.h"

#include <linux/kvm.h>

#include <span>
#include <utility>

#include "base/status_macros.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/vcpu_state.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kCode = 0x10000;
constexpr uint64_t kSyscallCode = 0x11000;

// Present, writable, user; in the last level also a 2 MiB page.
constexpr uint64_t kTableEntry = 0x7;
constexpr uint64_t kPageEntry = 0x87;

constexpr uint64_t kEferSyscallEnable = 1 << 0;
constexpr uint32_t kMsrStar = 0xC0000081;
constexpr uint32_t kMsrLstar = 0xC0000082;
constexpr uint32_t kMsrSyscallMask = 0xC0000084;

constexpr uint16_t kKernelCode = 0x10;
constexpr uint16_t kUserCode = 0x33;
constexpr uint16_t kUserData = 0x2B;

absl::Status WriteCode(GuestMemory& memory, uint64_t gpa,
                       const std::vector<uint8_t>& code) {
  auto bytes = std::as_bytes(std::span(code));
  return memory.Write(GuestPhysAddr(gpa), {bytes.data(), bytes.size()});
}

absl::Status WriteUserPageTables(GuestMemory& memory) {
  ABSL_RETURN_IF_ERROR(
      memory.WriteU64(GuestPhysAddr(kPml4), kPdpt | kTableEntry));
  ABSL_RETURN_IF_ERROR(
      memory.WriteU64(GuestPhysAddr(kPdpt), kPageDirectory | kTableEntry));
  return memory.WriteU64(GuestPhysAddr(kPageDirectory), kPageEntry);
}

absl::Status EnterUserMode(Vcpu& vcpu) {
  kvm_sregs sregs = {};
  ABSL_RETURN_IF_ERROR(vcpu.Call(KVM_REQUEST(KVM_GET_SREGS), &sregs));
  sregs.efer |= kEferSyscallEnable;
  sregs.cs.selector = kUserCode;
  sregs.cs.dpl = 3;
  sregs.ss.selector = kUserData;
  sregs.ss.dpl = 3;
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
  ABSL_RETURN_IF_ERROR(vcpu.Call(KVM_REQUEST(KVM_SET_SREGS), &sregs));
  struct {
    uint32_t count = 3;
    uint32_t padding = 0;
    kvm_msr_entry entries[3] = {
        {.index = kMsrStar,
         .data = uint64_t{kKernelCode} << 32 | uint64_t{kUserData - 8} << 48},
        {.index = kMsrLstar, .data = kSyscallCode},
        {.index = kMsrSyscallMask, .data = 0},
    };
  } msrs;
  return vcpu.Call(kSetMsrs, &msrs);
}

}  // namespace

MicroGuest KernelLoopGuest(uint32_t instructions) {
  const uint32_t rounds = instructions / 2;
  return {.code = {0xB9, uint8_t(rounds), uint8_t(rounds >> 8),
                   uint8_t(rounds >> 16), uint8_t(rounds >> 24),  // mov ecx
                   0xFF, 0xC9,                                    // dec ecx
                   0x75, 0xFC,                                    // jnz -4
                   0x89, 0x0B,                                    // mov [rbx]
                   0xEB, 0xFE}};                                  // jmp self
}

MicroGuest SyscallGuest() {
  return {.code = {0x0F, 0x05,           // syscall
                   0xEB, 0xFE},          // jmp self
          .syscall_code = {0x8C, 0xC8,   // mov eax, cs
                           0x89, 0x03,   // mov [rbx], eax
                           0xEB, 0xFE},  // jmp self
          .is_user_mode = true};
}

absl::StatusOr<std::unique_ptr<Vcpu>> CreateMicroGuestVcpu(
    const Kvm& kvm, Vm& vm, GuestMemory& memory, const MicroGuest& guest) {
  ABSL_RETURN_IF_ERROR(WriteUserPageTables(memory));
  ABSL_RETURN_IF_ERROR(WriteCode(memory, kCode, guest.code));
  ABSL_RETURN_IF_ERROR(WriteCode(memory, kSyscallCode, guest.syscall_code));
  ABSL_ASSIGN_OR_RETURN(CpuidEntries cpuid, kvm.SupportedCpuid());
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Vcpu> vcpu, vm.CreateVcpu(0));
  ABSL_RETURN_IF_ERROR(SetCpuid(*vcpu, cpuid));
  ABSL_RETURN_IF_ERROR(SetBootRegisters(*vcpu, GuestPhysAddr(kCode)));
  if (guest.is_user_mode) ABSL_RETURN_IF_ERROR(EnterUserMode(*vcpu));
  kvm_regs regs = {};
  ABSL_RETURN_IF_ERROR(vcpu->Call(KVM_REQUEST(KVM_GET_REGS), &regs));
  regs.rbx = kMicroGuestMailbox;
  ABSL_RETURN_IF_ERROR(vcpu->Call(KVM_REQUEST(KVM_SET_REGS), &regs));
  return vcpu;
}

}  // namespace ktstr::vmm
