// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/vcpu_state.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/page_tables.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kMaxCpuidEntries = 256;
constexpr size_t kInstructionBytes = 15;

// Architectural MSRs (Intel SDM vol. 4, table 2-2).
constexpr uint32_t kMsrMiscEnable = 0x1A0;
constexpr uint64_t kMiscEnableFastString = 1;
constexpr uint32_t kMsrMtrrDefaultType = 0x2FF;
constexpr uint64_t kMtrrEnabledWriteBack = 1 << 11 | 6;

// Control registers and EFER (SDM vol. 3A, 2.5 and 2.2.1).
constexpr uint64_t kCr0ProtectionEnable = 1u << 0;
constexpr uint64_t kCr0ExtensionType = 1u << 4;
constexpr uint64_t kCr0NumericError = 1u << 5;
constexpr uint64_t kCr0Paging = 1u << 31;
constexpr uint64_t kCr4PhysicalAddressExtension = 1u << 5;
constexpr uint64_t kEferLongModeEnable = 1u << 8;
constexpr uint64_t kEferLongModeActive = 1u << 10;
constexpr uint64_t kFlagsReserved = 1u << 1;
// IA32_APIC_BASE, SDM vol. 3A 11.12.1.
constexpr uint64_t kApicBaseX2Apic = 1u << 10;
constexpr uint64_t kApicBaseEnable = 1u << 11;

kvm_segment FlatSegment(uint16_t selector, uint8_t type, bool is_code) {
  kvm_segment segment = {};
  segment.limit = 0xFFFFFFFF;
  segment.selector = selector;
  segment.type = type;
  segment.present = 1;
  segment.db = !is_code;
  segment.s = 1;
  segment.l = is_code;
  segment.g = 1;
  return segment;
}

std::string InstructionText(Vcpu& vcpu, const GuestMemory& memory,
                            uint64_t rip) {
  kvm_translation translation = {};
  translation.linear_address = rip;
  if (!vcpu.Call(KVM_REQUEST(KVM_TRANSLATE), &translation).ok() ||
      !translation.valid) {
    return "unmapped";
  }
  std::array<std::byte, kInstructionBytes> code;
  // Not over the page's end: the next one may lie elsewhere.
  uint64_t gpa = translation.physical_address;
  size_t room = size_t(GuestMemory::kPageSize - gpa % GuestMemory::kPageSize);
  auto bytes = absl::MakeSpan(code).first(std::min(code.size(), room));
  if (!memory.Read(GuestPhysAddr(gpa), bytes).ok()) return "not in RAM";
  std::string text;
  for (std::byte byte : bytes) absl::StrAppendFormat(&text, "%02x", byte);
  return text;
}

}  // namespace

absl::Status SetCpuid(Vcpu& vcpu, const CpuidEntries& entries) {
  if (entries.size() > kMaxCpuidEntries) {
    return absl::InternalError(
        absl::StrCat("KVM_SET_CPUID2: ", entries.size(), " entries"));
  }
  // kvm_cpuid2 as the kernel sees it; see vmm/kvm/ioctl.h.
  struct Table {
    uint32_t count;
    uint32_t padding;
    std::array<kvm_cpuid_entry2, kMaxCpuidEntries> entries;
  };
  static_assert(offsetof(Table, entries) == 8);
  auto table = std::make_unique<Table>();
  table->count = uint32_t(entries.size());
  std::copy(entries.begin(), entries.end(), table->entries.begin());
  return vcpu.Call(kSetCpuid2, table.get());
}

absl::Status SetBootMsrs(Vcpu& vcpu) {
  struct {
    uint32_t count = 2;
    uint32_t padding = 0;
    kvm_msr_entry entries[2] = {
        {.index = kMsrMiscEnable, .data = kMiscEnableFastString},
        {.index = kMsrMtrrDefaultType, .data = kMtrrEnabledWriteBack},
    };
  } table;
  static_assert(offsetof(decltype(table), entries) == 8);
  return vcpu.Call(kSetMsrs, &table);
}

absl::Status SetBootRegisters(Vcpu& vcpu, GuestPhysAddr entry) {
  kvm_sregs sregs = {};
  ABSL_RETURN_IF_ERROR(vcpu.Call(KVM_REQUEST(KVM_GET_SREGS), &sregs));
  sregs.cs = FlatSegment(kBootCodeSelector, 0xB, /*is_code=*/true);
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss =
      FlatSegment(kBootDataSelector, 0x3, /*is_code=*/false);
  sregs.tr = FlatSegment(kBootTaskSelector, 0xB, /*is_code=*/false);
  sregs.tr.s = 0;
  sregs.tr.db = 0;
  sregs.gdt.base = kGdt;
  sregs.gdt.limit = kGdtBytes - 1;
  sregs.idt.base = 0;
  sregs.idt.limit = 0;
  sregs.cr3 = kPml4;
  sregs.cr4 = kCr4PhysicalAddressExtension;
  sregs.cr0 =
      kCr0ProtectionEnable | kCr0ExtensionType | kCr0NumericError | kCr0Paging;
  sregs.efer = kEferLongModeEnable | kEferLongModeActive;
  sregs.apic_base |= kApicBaseEnable | kApicBaseX2Apic;
  ABSL_RETURN_IF_ERROR(vcpu.Call(KVM_REQUEST(KVM_SET_SREGS), &sregs));
  kvm_regs regs = {};
  regs.rip = entry.value();
  regs.rsi = kBootParams;
  regs.rsp = regs.rbp = kBootStack;
  regs.rflags = kFlagsReserved;
  return vcpu.Call(KVM_REQUEST(KVM_SET_REGS), &regs);
}

std::string DescribeRegisters(Vcpu& vcpu, const GuestMemory& memory) {
  kvm_regs regs = {};
  kvm_sregs sregs = {};
  if (!vcpu.Call(KVM_REQUEST(KVM_GET_REGS), &regs).ok() ||
      !vcpu.Call(KVM_REQUEST(KVM_GET_SREGS), &sregs).ok()) {
    return "registers unknown";
  }
  return absl::StrFormat(
      "rip=%#x rsp=%#x rflags=%#x rax=%#x rbx=%#x rcx=%#x rdx=%#x rsi=%#x "
      "rdi=%#x cs=%#x cpl=%d cr0=%#x cr2=%#x cr3=%#x cr4=%#x efer=%#x code=%s",
      regs.rip, regs.rsp, regs.rflags, regs.rax, regs.rbx, regs.rcx, regs.rdx,
      regs.rsi, regs.rdi, sregs.cs.selector, int(sregs.ss.dpl), sregs.cr0,
      sregs.cr2, sregs.cr3, sregs.cr4, sregs.efer,
      InstructionText(vcpu, memory, sregs.cs.base + regs.rip));
}

uint64_t InstructionPointer(Vcpu& vcpu) {
  kvm_regs regs = {};
  bool is_known = vcpu.Call(KVM_REQUEST(KVM_GET_REGS), &regs).ok();
  return is_known ? regs.rip : 0;
}

}  // namespace ktstr::vmm
