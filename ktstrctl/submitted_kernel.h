// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SUBMITTED_KERNEL_H_
#define KTSTR_KTSTRCTL_SUBMITTED_KERNEL_H_

#include <string>

#include "absl/status/statusor.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/artifacts.h"
#include "proto/attempt.pb.h"

namespace ktstr::ktstrctl {

// What a fleet needs of `kernel`: its image and the modules that a guest on it
// loads, added to `artifacts`.
//
// Errors:
//   FailedPrecondition  a guest on this kernel cannot start, or cannot talk to
//                       its host; names each option that is missing and what is
//                       lost, or the module that was not found.
absl::StatusOr<v1::KernelSpec> PrepareKernel(
    const kernel::ResolvedKernel& kernel, const kernel::KernelCache& cache,
    Artifacts& artifacts);

// OK when sched_ext schedulers can attach on `kernel`; InvalidArgument names
// the option that `scheduler` lacks.
absl::Status CheckSchedExt(const kernel::ResolvedKernel& kernel,
                           const v1::KernelSpec& spec,
                           const std::string& scheduler);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SUBMITTED_KERNEL_H_
