// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_INVENTORY_H_
#define KTSTR_HOSTD_INVENTORY_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/attempt.pb.h"

namespace ktstr::hostd {

// What `vmm --probe` found out about this machine's KVM with guests of a few
// instructions.
//
// Shape: one JSON object on its standard output, keys as below; unknown keys
//        are ignored.
struct ProbeReport {
  bool usable = false;
  int api = 0;
  // Million kernel-mode instructions a second; 0 when not measured.
  double kernel_mode_mips = 0;
  // Privilege level at which SYSCALL arrived; -1 when not measured.
  int syscall_cpl = -1;
  // What is wrong and what to do; empty when usable.
  std::string reason;
  std::string advice;
};

// Errors: InvalidArgument for text that is not such an object.
absl::StatusOr<ProbeReport> ParseProbeReport(absl::string_view json);

// Runs `vmm --probe`. A vmm that cannot be run or says nothing is a report too:
// not usable, with the reason.
ProbeReport ProbeVmm(const std::string& vmm_program);

// "model name" of the first processor in /proc/cpuinfo text; empty if absent.
std::string ParseCpuModel(absl::string_view cpuinfo);
// MemAvailable in /proc/meminfo text, in MiB; 0 if absent.
int64_t ParseAvailableMib(absl::string_view meminfo);

// "emulated" when instructions are interpreted by software (QEMU's TCG, or a
// nested kernel mode slower than any hardware), else "direct".
std::string HostClass(absl::string_view cpu_model, double kernel_mode_mips);

// One sentence for SynchronizeRequest.unusable_reason; empty when usable.
std::string UnusableReason(const ProbeReport& probe);

// Everything above, read from this machine.
ktstr::v1::HostContext ReadHostContext(const std::string& host_id,
                                       const ProbeReport& probe);

// The machine's host name with every character outside [A-Za-z0-9._-] replaced
// by '-', at most 64 characters; "host" if it has none.
std::string DefaultHostId();

// Memory that guests may use together: nine tenths of what is available now.
int64_t GuestMemoryMib();

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_INVENTORY_H_
