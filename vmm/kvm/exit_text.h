// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_KVM_EXIT_TEXT_H_
#define KTSTR_VMM_KVM_EXIT_TEXT_H_

#include <linux/kvm.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::vmm {

// What KVM says of an exit that ends a machine, in words for a report.
//
// Shape:   one line of at most kMaxExitTextBytes.
// Trust:   counts and values are what KVM put there on behalf of the guest:
//          none is believed beyond the structure's size.
// Source:  Documentation/virt/kvm/api.rst, section 5 "The kvm_run structure".
inline constexpr size_t kMaxExitTextBytes = 512;

// Of a KVM_EXIT_INTERNAL_ERROR: the suberror by number and name, its data
// words, and the instruction's bytes where KVM tells them (an emulation failure
// on Linux 5.14 or later).
std::string InternalErrorText(const kvm_run& run);

// Of a KVM_EXIT_FAIL_ENTRY: the processor's reason, in words where a manual
// has some, and the host CPU it was found on (valid on Linux 5.9 or later; a
// reason may be one processor's trouble).
std::string EntryFailureText(const kvm_run& run);

// KVM_INTERNAL_ERROR_…, without the prefix: "EMULATION"; "unknown" for others.
absl::string_view SuberrorName(uint32_t suberror);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_KVM_EXIT_TEXT_H_
