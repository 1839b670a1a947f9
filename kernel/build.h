// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_BUILD_H_
#define KTSTR_KERNEL_BUILD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kernel/build_options.h"
#include "kernel/cache.h"

namespace ktstr::kernel {

struct BuildResult {
  KernelEntry entry;
  bool was_cached = false;
  absl::Duration took;
  // What is not there although the kernel is ("clang-19 is not installed:
  // scx_simple was not built"); empty when nothing.
  std::string warning;
};

// Builds a kernel with every option of kconfig/fragments from a release, a
// source package, a commit or a tree, verifies that they survived, and stores
// it with the source's own sched_ext schedulers. A kernel already in the cache
// is returned at once.
//
// Blocks: minutes; ended by cancel_fd. When the calling process is killed the
//         compilers end at their next line of output, the cache stays valid,
//         and the next call removes the work directory.
// Errors:
//   InvalidArgument     `spec` is none, or cannot be built; the fragment does
//                       not parse, or takes away what a test needs.
//   NotFound            no such release, package, ref or tree: the sentence
//                       names it and what there is.
//   Unavailable         a server cannot be reached, or broke off.
//   PermissionDenied    a server or a signature is not trusted.
//   DataLoss            what came is not what was published.
//   FailedPrecondition  a tool is missing, or options did not survive (each
//                       with the feature that is lost).
//   Internal            the compilation failed, with the end of its output.
//   ResourceExhausted   the cache's file system is nearly full.
//   Cancelled           cancel_fd.
absl::StatusOr<BuildResult> BuildKernel(const KernelCache& cache,
                                        const BuildOptions& options);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_BUILD_H_
