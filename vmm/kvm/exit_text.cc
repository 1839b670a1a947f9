// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/kvm/exit_text.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kMaxInstructionBytes = 15;

// The words of kvm_run.internal.data that an emulation failure gives a meaning
// (struct kvm_run, emulation_failure): flags, then one byte of size and 15 of
// instruction.
constexpr size_t kFlagsWord = 0;
constexpr size_t kInstructionWord = 1;
constexpr size_t kInstructionEndWord = 3;

// Reasons of Intel's VM-entry failures, bit 31 being set (SDM vol. 3C, 27.8).
constexpr uint64_t kVmxEntryFailure = 1u << 31;
constexpr uint64_t kVmxInvalidGuestState = 33;
constexpr uint64_t kVmxMsrLoading = 34;
constexpr uint64_t kVmxMachineCheck = 41;
// AMD's VMEXIT_INVALID (APM vol. 2, appendix C), 32 or 64 bits wide.
constexpr uint32_t kSvmInvalid = ~uint32_t{0};

absl::string_view EntryReasonName(uint64_t reason) {
  if (uint32_t(reason) == kSvmInvalid) return "invalid guest state (VMCB)";
  if (!(reason & kVmxEntryFailure)) return "no name";
  switch (reason & 0xFFFF) {
    case kVmxInvalidGuestState:
      return "invalid guest state";
    case kVmxMsrLoading:
      return "MSR loading";
    case kVmxMachineCheck:
      return "machine check";
    default:
      return "no name";
  }
}

// Empty when KVM does not tell.
std::string InstructionBytes(const kvm_run& run, size_t words) {
  const auto& error = run.internal;
  if (error.suberror != KVM_INTERNAL_ERROR_EMULATION ||
      words < kInstructionEndWord ||
      !(error.data[kFlagsWord] &
        KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES)) {
    return "";
  }
  std::array<char, 1 + kMaxInstructionBytes> bytes;
  std::memcpy(bytes.data(), &error.data[kInstructionWord], bytes.size());
  const size_t size = std::min<size_t>(uint8_t(bytes[0]), kMaxInstructionBytes);
  return absl::BytesToHexString(absl::string_view(bytes.data() + 1, size));
}

}  // namespace

absl::string_view SuberrorName(uint32_t suberror) {
  switch (suberror) {
    case KVM_INTERNAL_ERROR_EMULATION:
      return "EMULATION";
    case KVM_INTERNAL_ERROR_SIMUL_EX:
      return "SIMUL_EX";
    case KVM_INTERNAL_ERROR_DELIVERY_EV:
      return "DELIVERY_EV";
    case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
      return "UNEXPECTED_EXIT_REASON";
    default:
      return "unknown";
  }
}

std::string InternalErrorText(const kvm_run& run) {
  const auto& error = run.internal;
  const size_t words = std::min<size_t>(error.ndata, std::size(error.data));
  std::string text =
      absl::StrFormat("KVM internal error %u (%s)", error.suberror,
                      SuberrorName(error.suberror));
  if (words > 0) absl::StrAppend(&text, ", data");
  for (size_t i = 0; i < words; ++i) {
    absl::StrAppendFormat(&text, " %#x", error.data[i]);
  }
  const std::string instruction = InstructionBytes(run, words);
  if (!instruction.empty()) absl::StrAppend(&text, ", insn=", instruction);
  return text;
}

std::string EntryFailureText(const kvm_run& run) {
  const uint64_t reason = run.fail_entry.hardware_entry_failure_reason;
  return absl::StrFormat(
      "hardware entry failure reason %#x (%s) on host CPU %u", reason,
      EntryReasonName(reason), run.fail_entry.cpu);
}

}  // namespace ktstr::vmm
