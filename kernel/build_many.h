// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_BUILD_MANY_H_
#define KTSTR_KERNEL_BUILD_MANY_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "kernel/build.h"
#include "kernel/build_options.h"
#include "kernel/cache.h"

namespace ktstr::kernel {

// `specs` with every range (A..B) replaced by the releases in it, oldest first;
// no specs are one blank one, the newest matured release. options.spec is not
// looked at.
//
// Errors: those of ParseKernelSpec() and KernelOrg::Index(); NotFound for a
//         range without a release.
absl::StatusOr<std::vector<std::string>> ExpandSpecs(
    const KernelCache& cache, const BuildOptions& options,
    const std::vector<std::string>& specs);

// Builds each, one after the other, since one alone uses all the CPUs it may;
// the code of several is got at the same time before. One that fails does not
// keep the others; a cancel does.
//
// Threads: callbacks of `options` are called on several threads, one at a time.
//          `on_result` is called on the calling thread, in the order of
//          `specs`.
// Blocks:  as BuildKernel().
void BuildKernels(
    const KernelCache& cache, const BuildOptions& options,
    const std::vector<std::string>& specs,
    const std::function<void(const std::string& spec,
                             const absl::StatusOr<BuildResult>& result)>&
        on_result);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_BUILD_MANY_H_
