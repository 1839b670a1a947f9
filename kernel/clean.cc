// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/clean.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace ktstr::kernel {

CleanPlan PlanClean(const std::vector<ListedKernel>& listed,
                    std::vector<std::string> trees,
                    const CleanOptions& options) {
  CleanPlan plan;
  if (!options.only_corrupt) plan.trees = std::move(trees);
  int usable = 0;
  for (const ListedKernel& kernel : listed) {
    const bool is_corrupt = kernel.state == ListedKernel::State::kCorrupt;
    const bool stays =
        !is_corrupt && (options.only_corrupt || ++usable <= options.keep);
    (stays ? plan.kept : plan.removed).push_back(kernel);
  }
  return plan;
}

CleanResult Clean(const KernelCache& cache, const CleanPlan& plan) {
  CleanResult result;
  auto note = [&result](const std::string& what, const absl::Status& status) {
    if (status.ok()) {
      result.removed.push_back(what);
    } else {
      result.problems.push_back(
          absl::StrCat(what, " stays: ", status.message()));
    }
  };
  for (const ListedKernel& kernel : plan.removed) {
    note(absl::StrCat("kernel ", kernel.entry.key),
         cache.Remove(kernel.entry.key));
  }
  for (const std::string& tree : plan.trees) {
    note(absl::StrCat("copy of a source tree ", tree),
         cache.RemoveKeptTree(tree));
  }
  return result;
}

}  // namespace ktstr::kernel
