// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_PROBE_H_
#define KTSTR_VMM_PROBE_H_

#include <string>

namespace ktstr::vmm {

// Whether this host's /dev/kvm can run Linux.
struct ProbeResult {
  bool is_usable = false;
  // KVM_GET_API_VERSION, 0 when /dev/kvm did not open.
  int api_version = 0;
  // Millions of instructions a second of a guest in kernel mode, best of a few
  // runs; 0 when none ended. A lower bound: entry and exit are included.
  double kernel_mode_mips = 0;
  // Privilege level at which SYSCALL from user mode arrives; -1 when it did
  // not.
  int syscall_cpl = -1;
  // Empty when usable: what is wrong, and what to do about it.
  std::string reason;
  std::string advice;
};

// Runs two micro-guests: a counted loop in kernel mode, and a SYSCALL.
//
// Some machines offer a /dev/kvm that interprets kernel-mode code (two to three
// million instructions a second) and leaves SYSCALL at privilege 3; Linux
// cannot start there, and would only hang.
//
// Blocks: milliseconds; a few seconds when guests hang.
ProbeResult ProbeKvm();

// One JSON object: "usable", "api", "kernel_mode_mips", "syscall_cpl",
// "reason", "advice".
std::string FormatProbeResult(const ProbeResult& result);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_PROBE_H_
