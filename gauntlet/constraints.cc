// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "gauntlet/constraints.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"

namespace ktstr::gauntlet {
namespace {

void CheckRange(absl::string_view one, absl::string_view many, int count,
                int minimum, std::optional<int> maximum,
                std::vector<std::string>& reasons) {
  absl::string_view noun = count == 1 ? one : many;
  if (count < minimum) {
    reasons.push_back(
        absl::StrCat(count, " ", noun, ", test needs at least ", minimum));
  }
  if (maximum.has_value() && count > *maximum) {
    reasons.push_back(
        absl::StrCat(count, " ", noun, ", test allows at most ", *maximum));
  }
}

absl::Status CheckPair(absl::string_view what, int minimum,
                       std::optional<int> maximum) {
  if (minimum < 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "min_", what, " is ", minimum, ", accepted are 0 and above"));
  }
  if (!maximum.has_value()) return absl::OkStatus();
  if (*maximum < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max_", what, " is ", *maximum, ", accepted are 1 and above"));
  }
  if (minimum > *maximum) {
    return absl::InvalidArgumentError(
        absl::StrCat("min_", what, " is ", minimum, ", above max_", what,
                     " which is ", *maximum));
  }
  return absl::OkStatus();
}

}  // namespace

std::string WhyExcluded(const Constraints& constraints,
                        const Topology& topology) {
  std::vector<std::string> reasons;
  CheckRange("NUMA node", "NUMA nodes", topology.nodes(),
             constraints.min_numa_nodes, constraints.max_numa_nodes, reasons);
  CheckRange("LLC", "LLCs", topology.llcs(), constraints.min_llcs,
             constraints.max_llcs, reasons);
  CheckRange("CPU", "CPUs", topology.cpus(), constraints.min_cpus,
             constraints.max_cpus, reasons);
  if (constraints.requires_smt && !topology.has_smt()) {
    reasons.push_back("1 thread per core, test needs SMT");
  }
  return absl::StrJoin(reasons, "; ");
}

absl::Status CheckConstraints(const Constraints& constraints) {
  ABSL_RETURN_IF_ERROR(CheckPair("numa_nodes", constraints.min_numa_nodes,
                                 constraints.max_numa_nodes));
  ABSL_RETURN_IF_ERROR(
      CheckPair("llcs", constraints.min_llcs, constraints.max_llcs));
  return CheckPair("cpus", constraints.min_cpus, constraints.max_cpus);
}

}  // namespace ktstr::gauntlet
