// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_KERNEL_LIST_H_
#define KTSTR_KTSTRCTL_KERNEL_LIST_H_

#include <string>

#include "kernel/cache.h"
#include "nlohmann/json.hpp"

namespace ktstr::ktstrctl {

// `kernel list`: a table with a legend on standard error, or one JSON object
// {current_ktstr_kconfig_hash, active_prefixes_fetch_error, entries}. Series
// that kernel.org maintains no more are marked EOL; when it cannot be asked,
// none is, and standard error (or the second key) says why. Returns the exit
// code.
int ListKernels(bool is_json);

// `kernel list --range`: the releases that `build` would take, one a line or
// one JSON array. Returns the exit code.
int ListRange(const std::string& range, bool is_json);

// What `list` and `show` say of an entry in JSON.
nlohmann::ordered_json EntryJson(const kernel::ListedKernel& listed);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_KERNEL_LIST_H_
