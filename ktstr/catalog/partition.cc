// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/catalog/partition.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/status_macros.h"

namespace ktstr::catalog {
namespace {

using Sets = std::vector<std::vector<int>>;

Sets SplitAt(const std::vector<int>& cpus, int at) {
  at = std::clamp(at, 0, static_cast<int>(cpus.size()));
  return {{cpus.begin(), cpus.begin() + at}, {cpus.begin() + at, cpus.end()}};
}

absl::StatusOr<Sets> FirstLlcs(const GuestTopology& machine, int cgroups) {
  const int needed = std::max(cgroups, 2);
  if (machine.num_llcs() < needed) {
    return absl::FailedPreconditionError(absl::StrCat(
        "needs ", needed, " LLCs, the machine has ", machine.num_llcs()));
  }
  Sets sets;
  for (int i = 0; i < cgroups; ++i) sets.push_back(machine.cpus_in_llc(i));
  if (!sets.empty() && sets.back().size() > 1 &&
      sets.back().back() == machine.all_cpus().back()) {
    sets.back().pop_back();
  }
  return sets;
}

}  // namespace

absl::StatusOr<Sets> Partition::Resolve(const GuestTopology& machine,
                                        int cgroups) const {
  const std::vector<int> usable = machine.usable_cpus();
  const int l = static_cast<int>(usable.size());
  Sets sets;
  switch (kind_) {
    case Kind::kNone:
      return sets;
    case Kind::kLlcAligned: {
      ABSL_ASSIGN_OR_RETURN(sets, FirstLlcs(machine, cgroups));
      break;
    }
    case Kind::kSplitHalf:
      sets = SplitAt(usable, l / 2);
      break;
    case Kind::kSplitMisaligned:
      sets = SplitAt(usable,
                     machine.num_llcs() > 1
                         ? static_cast<int>(machine.cpus_in_llc(0).size()) / 2
                         : l / 2);
      break;
    case Kind::kOverlap:
      sets = machine.wrapping_windows(cgroups, fraction_);
      break;
    case Kind::kUneven:
      sets = SplitAt(usable, std::max(1, static_cast<int>(l * fraction_)));
      break;
    case Kind::kHoldback: {
      std::vector<int> kept = machine.all_cpus();
      const int total = machine.total_cpus();
      const int keep = total - static_cast<int>(total * fraction_);
      kept.resize(std::clamp(keep, 0, total));
      sets = SplitAt(kept, std::max(1, keep / 2));
      break;
    }
  }
  for (size_t i = 0; i < sets.size(); ++i) {
    if (!sets[i].empty()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("needs more CPUs: no CPU is left for cgroup ", i,
                     " of a machine with ", FormatCpuList(machine.all_cpus())));
  }
  return sets;
}

}  // namespace ktstr::catalog
