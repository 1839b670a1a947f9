// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/clean.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace ktstr::kernel {

CleanPlan PlanClean(const std::vector<ListedKernel>& listed,
                    const CleanOptions& options) {
  CleanPlan plan;
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
  for (const ListedKernel& kernel : plan.removed) {
    const std::string& key = kernel.entry.key;
    absl::Status status = cache.Remove(key);
    if (status.ok()) {
      result.removed.push_back(key);
    } else {
      result.problems.push_back(
          absl::StrCat("kernel ", key, " stays: ", status.message()));
    }
  }
  return result;
}

}  // namespace ktstr::kernel
