// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_CLEAN_H_
#define KTSTR_KERNEL_CLEAN_H_

#include <string>
#include <vector>

#include "kernel/cache.h"

namespace ktstr::kernel {

// Which entries of a cache may go.
struct CleanOptions {
  // So many usable entries stay, the newest.
  int keep = 0;
  // Usable entries stay, all of them, and so do kept copies of source trees.
  bool only_corrupt = false;
};

// What a cleaning takes away. Corrupt entries always go.
//
// Shape: `listed` is in the order of KernelCache::List(), and so are both
// lists.
struct CleanPlan {
  std::vector<ListedKernel> removed;
  std::vector<ListedKernel> kept;
  // Copies of source trees: the next build of the tree compiles all of it.
  std::vector<std::string> trees;

  bool is_empty() const { return removed.empty() && trees.empty(); }
};
CleanPlan PlanClean(const std::vector<ListedKernel>& listed,
                    std::vector<std::string> trees,
                    const CleanOptions& options);

// What came of it.
struct CleanResult {
  // "kernel KEY", "copy of a source tree NAME".
  std::vector<std::string> removed;
  // One sentence for each entry that stayed although planned: somebody builds
  // it, or the file system refuses.
  std::vector<std::string> problems;
};

// Removes what `plan` says, each entry under its lock, whole or not at all.
CleanResult Clean(const KernelCache& cache, const CleanPlan& plan);

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_CLEAN_H_
