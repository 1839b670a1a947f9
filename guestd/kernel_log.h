// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_KERNEL_LOG_H_
#define KTSTR_GUESTD_KERNEL_LOG_H_

#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::guestd {

// What the kernel's log buffer holds, as `dmesg` prints it: "[    1.234567]
// ..." lines. Empty when the kernel does not let us.
std::string ReadKernelLog();

// Writes kKernelLogMark into the kernel's log, too unimportant for the console.
// Without /dev/kmsg nothing happens: the mark is for timing only.
void MarkKernelLog();

// `log` without the "<6>" at the front of its lines.
std::string WithoutPriorities(absl::string_view log);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_KERNEL_LOG_H_
