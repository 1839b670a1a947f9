// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_BUILD_OPTIONS_H_
#define KTSTR_KERNEL_BUILD_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace ktstr::kernel {

enum class BuildStage {
  kUnspecified = 0,
  kResolving,    // which release or commit the words stand for
  kWaiting,      // another process builds the same key
  kDownloading,  // a tarball, or a commit by git
  kUnpacking,    // source tarball
  kConfiguring,
  kCompiling,
  kSchedulers,  // tools/sched_ext of the same tree
  kStoring,
  kDone,
};

// "resolving", "waiting", "unpacking", ...
absl::string_view BuildStageName(BuildStage stage);

struct BuildProgress {
  BuildStage stage = BuildStage::kUnspecified;
  int64_t objects = 0;           // compiled so far
  int64_t objects_expected = 0;  // an estimate; objects may pass it
  uint64_t bytes = 0;            // downloaded so far
  uint64_t bytes_expected = 0;   // 0 while unknown
  absl::Duration elapsed;        // since BuildKernel() began
  std::string detail;            // "CC kernel/sched/core.o", "pid 4711"
};

struct BuildOptions {
  // What to build (kernel/spec.h):
  // - a version, a series ("6.12", "6": its newest release) or nothing (the
  //   newest release that has matured) from kernel.org. While that cannot be
  //   reached, an installed linux-source package of the same series takes its
  //   place, and a note says so;
  // - "deb:linux-source-6.12": that package;
  // - git+URL#REF: a commit, got without its history;
  // - the path of a source tree. It is copied, never written to; the copy is
  //   kept, so that the next build compiles what changed. A tree that is no
  //   clean git checkout is built each time, into an entry that only its key
  //   finds.
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
  // One sentence that a person should read now, not after the build: what is
  // built instead, what was not verified. May be empty.
  std::function<void(const std::string& note)> on_note;
  // Where linux-source-X.Y.tar.xz lies.
  std::string source_dir = "/usr/src";
  // ktstr_fetch (kernel/fetch.h); empty: nothing can be downloaded.
  std::string fetch_program;
  std::string kernel_org;  // KernelOrgOptions::base_url
  Clock* clock = nullptr;  // RealClock() when null
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_BUILD_OPTIONS_H_
