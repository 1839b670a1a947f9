// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_BOOT_STEPS_H_
#define KTSTR_HOSTD_BOOT_STEPS_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "proto/outcome.pb.h"

namespace ktstr::hostd {

// The steps that the kernel's log tells of: "kernel-log", "cpus-up", "unpack",
// "run-init", as far as they are in it.
//
// The kernel's clock is not the host's: kKernelLogMark, a line guestd writes
// when it says hello, ties the two together. Without the mark nothing is known.
//
// Shape: `log` as `dmesg` prints it; `hello` counts from the start of vmm, and
// so
//        do the steps. None is later than `hello`, none earlier than zero.
// Trust: the log is the guest's.
std::vector<ktstr::v1::BootStep> KernelBootSteps(absl::string_view log,
                                                 absl::Duration hello);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_BOOT_STEPS_H_
