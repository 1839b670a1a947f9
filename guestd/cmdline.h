// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_CMDLINE_H_
#define KTSTR_GUESTD_CMDLINE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::guestd {

// What the kernel command line tells guestd.
struct Cmdline {
  int64_t epoch = 0;  // 0: absent or not a number
  std::string nonce;
};

// Trust: written by hostd, but anybody may have added to it; unknown words are
//        ignored, of a repeated key the last counts (as the kernel does).
Cmdline ParseCmdline(absl::string_view text);

// The parameters for `module` ("virtio_mmio") among the words of the kernel
// command line ("virtio_mmio.device=4K@..."), joined by spaces, as finit_module
// takes them. '-' and '_' are the same.
std::string ModuleParameters(absl::string_view cmdline,
                             absl::string_view module);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_CMDLINE_H_
