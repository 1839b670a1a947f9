// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_MODULES_H_
#define KTSTR_GUESTD_MODULES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ktstr::guestd {

// Loads the modules named in `order_path`, one absolute path a line, in order,
// each with its parameters from the kernel command line. Distribution kernels
// ship what the machine's devices need as modules. No such file: nothing to do.
// A module that is loaded or built in already is OK.
//
// Errors: the first module that failed, by name.
absl::Status LoadModules(const std::string& order_path,
                         absl::string_view cmdline);

// "/ktstr/modules/virtio-mmio.ko" -> "virtio_mmio".
std::string ModuleName(absl::string_view path);

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_MODULES_H_
