// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_CPUS_H_
#define KTSTR_GUESTD_CPUS_H_

#include <string>

#include "absl/status/status.h"

namespace ktstr::guestd {

// Brings every present CPU online that the kernel left out (`maxcpus=`), in
// ascending order. `cpu_dir` is /sys/devices/system/cpu.
//
// Blocks: for some ten milliseconds a CPU on a slow host.
// Errors: Internal names the CPUs that stayed offline; the errors of reading.
absl::Status BringUpCpus(const std::string& cpu_dir);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_CPUS_H_
