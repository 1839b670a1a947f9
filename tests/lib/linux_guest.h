// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_TESTS_LIB_LINUX_GUEST_H_
#define KTSTR_TESTS_LIB_LINUX_GUEST_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/machine_spec.h"

namespace ktstr {

// A Linux guest under the program vmm without a fleet around it: its user space
// is one program, calling_init.
struct LinuxGuest {
  // Directory of vmm and calling_init.
  std::string programs;
  std::string kernel;
  // Kernel arguments; "rdinit=/init" is added.
  std::string cmdline;
  ConsoleDevice console = ConsoleDevice::kSerial;
  int cpus = 4;
  int64_t memory_mib = 512;
  absl::Duration deadline = absl::Seconds(120);
};

// What became of it.
struct LinuxGuestRun {
  // From the start of vmm to init's stream to the host; nothing when it came to
  // none.
  std::optional<absl::Duration> hello;
  MachineEvent end;
  std::string console;
};

// Blocks: until the machine has ended.
// Errors: any of what could not be set up; vmm's own words when it failed.
absl::StatusOr<LinuxGuestRun> Boot(const LinuxGuest& guest);

}  // namespace ktstr

#endif  // KTSTR_TESTS_LIB_LINUX_GUEST_H_
