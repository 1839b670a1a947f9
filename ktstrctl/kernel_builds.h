// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_KERNEL_BUILDS_H_
#define KTSTR_KTSTRCTL_KERNEL_BUILDS_H_

#include <string>
#include <vector>

namespace ktstr::ktstrctl {

// `kernel build`: builds each of `specs` (ranges are several; none: the newest
// matured release), with the options of the file `fragment` on top when it is
// not empty, one line a kernel on standard output. Of several, those that fail
// do not keep the others, and are named again at the end. Returns the exit
// code.
int BuildKernelsFor(const std::vector<std::string>& specs,
                    const std::string& fragment, bool is_forced);

// Where ktstr_fetch lies; "" when it is not installed.
std::string FetchProgram();

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_KERNEL_BUILDS_H_
