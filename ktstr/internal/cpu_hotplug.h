// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_CPU_HOTPLUG_H_
#define KTSTR_KTSTR_INTERNAL_CPU_HOTPLUG_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace ktstr {

// Takes CPUs of the machine away and brings them back.
class CpuHotplug {
 public:
  virtual ~CpuHotplug() = default;

  // Returns once the kernel has done it. A CPU that is so already is OK.
  //
  // Errors: NotFound for a CPU the kernel cannot switch, DeadlineExceeded, else
  //         the mapping of errno.
  virtual absl::Status SetOnline(int cpu, bool is_online) = 0;
};

namespace internal {

// The kernel's: `root`/cpuN/online.
//
// Blocks: each call for at most `timeout`.
std::unique_ptr<CpuHotplug> MakeKernelCpuHotplug(
    absl::Duration timeout, std::string root = "/sys/devices/system/cpu");

}  // namespace internal
}  // namespace ktstr

#endif  // KTSTR_KTSTR_INTERNAL_CPU_HOTPLUG_H_
