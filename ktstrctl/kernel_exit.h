// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_KERNEL_EXIT_H_
#define KTSTR_KTSTRCTL_KERNEL_EXIT_H_

#include "absl/status/status.h"
#include "ktstrctl/exit_code.h"

namespace ktstr::ktstrctl {

// The exit code of a `kernel` command that failed: bad input and what a person
// has to install are usage; the rest is ours.
inline int ExitFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return kExitUsage;
    case absl::StatusCode::kCancelled:
      return kExitCancelled;
    default:
      return kExitFailed;
  }
}

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_KERNEL_EXIT_H_
