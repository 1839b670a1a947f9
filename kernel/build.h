// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_BUILD_H_
#define KTSTR_KERNEL_BUILD_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "kernel/cache.h"

namespace ktstr::kernel {

enum class BuildStage {
  kUnspecified = 0,
  kWaiting,    // another process builds the same key
  kUnpacking,  // source tarball
  kConfiguring,
  kCompiling,
  kSchedulers,  // tools/sched_ext of the same tree
  kStoring,
  kDone,
};

// "waiting", "unpacking", ...
absl::string_view BuildStageName(BuildStage stage);

struct BuildProgress {
  BuildStage stage = BuildStage::kUnspecified;
  int64_t objects = 0;           // compiled so far
  int64_t objects_expected = 0;  // an estimate; objects may pass it
  absl::Duration elapsed;        // since BuildKernel() began
  std::string detail;            // "CC kernel/sched/core.o", "pid 4711"
};

struct BuildOptions {
  // What to build (kernel/spec.h): "6.12", "6", "deb:linux-source-6.12" from an
  // installed package, or the path of a source tree. A tree is copied, never
  // written to; the copy is kept, so that the next build compiles what changed.
  // A tree that is no clean git checkout is built each time, into an entry that
  // only its key finds.
  std::string spec;
  // A file with further options, which win over ours; empty: none. Its name
  // (without .config) is part of the kernel's key and label. Only its key finds
  // such a kernel.
  std::string fragment;
  // make -j; 0 means the CPUs this process may use.
  int jobs = 0;
  // Build even when the cache has the key.
  bool force = false;
  // Becoming readable stops the build (Cancelled, nothing left behind); -1:
  // never. Borrowed.
  int cancel_fd = -1;
  // Called on the calling thread at each change of stage and at most ten times
  // a second in between. May be empty.
  std::function<void(const BuildProgress&)> on_progress;
  // Where linux-source-X.Y.tar.xz lies.
  std::string source_dir = "/usr/src";
  Clock* clock = nullptr;  // RealClock() when null
};

struct BuildResult {
  KernelEntry entry;
  bool was_cached = false;
  absl::Duration took;
  // What is not there although the kernel is ("clang-19 is not installed:
  // scx_simple was not built"); empty when nothing.
  std::string warning;
};

// Builds a kernel with every option of kconfig/fragments from a source package
// or tree, verifies that they survived, and stores it with the source's own
// sched_ext schedulers. A kernel already in the cache is returned at once.
//
// Blocks: minutes; ended by cancel_fd. When the calling process is killed the
//         compilers end at their next line of output, the cache stays valid,
//         and the next call removes the work directory.
// Errors:
//   InvalidArgument     `spec` is none, or cannot be built; the fragment does
//                       not parse, or takes away what a test needs.
//   NotFound            no source package or tree: the sentence names it.
//   FailedPrecondition  a tool is missing, or options did not survive (each
//                       with the feature that is lost).
//   Internal            the compilation failed, with the end of its output.
//   ResourceExhausted   the cache's file system is nearly full.
//   Cancelled           cancel_fd.
//   Unimplemented       git and range forms, and no spec at all.
absl::StatusOr<BuildResult> BuildKernel(const KernelCache& cache,
                                        const BuildOptions& options);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_BUILD_H_
