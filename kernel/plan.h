// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_PLAN_H_
#define KTSTR_KERNEL_PLAN_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "kernel/build_options.h"
#include "kernel/builder.h"
#include "kernel/cache.h"
#include "kernel/kernel_org.h"

namespace ktstr::kernel {

KernelOrg MakeKernelOrg(const KernelCache& cache, const BuildOptions& options);

// Decides everything about a build: which code, which compiler, which options,
// under which key. For a kernel that the cache has under that key, nothing more
// is asked of the network than what a series or a ref stands for.
//
// Blocks: while servers are asked; ended by options.cancel_fd.
// Errors: those of FindSource(), LocateSource() and FindToolchain().
absl::StatusOr<BuildPlan> MakePlan(const KernelCache& cache,
                                   const BuildOptions& options);

// The same plan for a source that turned out to be another, with its key.
BuildPlan WithSource(BuildPlan plan, KernelSource source);

// Takes the lock of `key`; told first, when that means to wait for another
// process.
//
// Errors: Cancelled.
absl::StatusOr<KeyLock> LockOrTell(
    const KernelCache& cache, const std::string& key, int cancel_fd,
    const std::function<void(absl::string_view holder)>& on_wait);

// Brings the code of a plan onto this machine, into the cache's downloads: once
// for all who want it. What is here already is left alone.
//
// Errors: those of KernelOrg::Get() and FetchGitCommit().
absl::Status GetCode(
    const KernelCache& cache, const BuildOptions& options, KernelSource& source,
    const std::function<void(uint64_t done, uint64_t total)>& on_progress);

// The lock under which that is done, and needed until it is unpacked; "" when
// the code is on this machine anyway.
std::string CodeLock(const KernelSource& source);

// Removes what GetCode() brought, unless another process is about to use it.
void DropCode(const KernelCache& cache, const KernelSource& source);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_PLAN_H_
