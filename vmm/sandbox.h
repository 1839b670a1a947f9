// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_SANDBOX_H_
#define KTSTR_VMM_SANDBOX_H_

#include <linux/filter.h>

#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ktstr::vmm {

// What a thread of a running machine is for, and so what it may ask the host's
// kernel.
enum class ThreadRole {
  // Waits for the end, kicks the others, cleans up.
  kMain,
  // Device work: its descriptors, and connections to sockets of its owner.
  kDevices,
  // Guest code and the accesses it makes; the guest gets nowhere but here
  // first.
  kVcpu,
};

// A list of allowed system calls for each role, as seccomp programs.
//
// A thread that makes another call ends the process with kExitRefused, after a
// line on standard error that names the call. No role may start a program or a
// thread, or make memory executable; opening a file fails.
//
// Threads: Confine() from any, for itself; everything else before they start.
class Sandbox {
 public:
  // As a shell would say it of SIGSYS.
  static constexpr int kExitRefused = 128 + 31;

  // Compiles the programs and prepares the message. Threads are not confined by
  // it.
  static absl::StatusOr<Sandbox> Create();

  // Confines the calling thread for good; threads it starts inherit it.
  //
  // Errors: the mapping of errno when the kernel has no seccomp.
  absl::Status Confine(ThreadRole role) const;

 private:
  using Program = std::vector<sock_filter>;

  Sandbox() = default;

  std::array<Program, 3> programs_;  // index: ThreadRole
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_SANDBOX_H_
