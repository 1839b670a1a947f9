// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_WORK_TYPE_OPTION_H_
#define KTSTR_KTSTRCTL_WORK_TYPE_OPTION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ktstr::ktstrctl {

// Whether `name`, of --work-type, is one of those that a suite has. An empty
// one, which swaps nothing, always is.
//
// Errors: InvalidArgument with the name that was probably meant, and all of
//         them.
absl::Status CheckWorkType(const std::string& name,
                           const std::vector<std::string>& known);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_WORK_TYPE_OPTION_H_
