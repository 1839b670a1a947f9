// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_KERNEL_ENTRIES_H_
#define KTSTR_KTSTRCTL_KERNEL_ENTRIES_H_

#include <string>

#include "kernel/clean.h"

namespace ktstr::ktstrctl {

// The commands about cached kernels; each prints and returns the exit code.

// `kernel show`: what is known of one kernel, cached or not, and what it can be
// used for.
int ShowKernel(const std::string& spec, bool is_json);

// `kernel clean`: says what would go and asks on a terminal. Elsewhere nobody
// can answer: without `is_forced` it refuses.
int CleanKernels(const kernel::CleanOptions& options, bool is_forced);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_KERNEL_ENTRIES_H_
