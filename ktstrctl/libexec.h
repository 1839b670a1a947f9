// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_LIBEXEC_H_
#define KTSTR_KTSTRCTL_LIBEXEC_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ktstr::ktstrctl {

// Where a program of ours ("hostd") lies: in $KTSTR_LIBEXEC when that is set,
// else beside this executable.
//
// Errors: NotFound, naming the directory that was searched.
absl::StatusOr<std::string> FindProgramOfOurs(absl::string_view name);

// The directory in which FindProgramOfOurs() looks.
std::string LibexecDir();

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_LIBEXEC_H_
