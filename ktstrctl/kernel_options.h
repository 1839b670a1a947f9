// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_KERNEL_OPTIONS_H_
#define KTSTR_KTSTRCTL_KERNEL_OPTIONS_H_

#include <string>
#include <vector>

namespace ktstr::ktstrctl {

// The commands about options of kernels; each prints and returns the exit code.

// `kernel config`: the options a kernel was built with, or without `spec` those
// that kernels are built from, with a reason beside each.
int PrintKernelConfig(const std::string& spec);

// `kernel verify`: which of `requirements` ("sched_ext", ...; all without any)
// a kernel meets, and for each missing option what is lost. Exit code 1 when
// something is missing.
int VerifyKernel(const std::string& spec,
                 const std::vector<std::string>& requirements, bool is_json);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_KERNEL_OPTIONS_H_
