// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GAUNTLET_CONSTRAINTS_H_
#define KTSTR_GAUNTLET_CONSTRAINTS_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "model/topology.h"

namespace ktstr::gauntlet {

// Which presets a test expands over. Every range includes both ends; an absent
// maximum is no limit. The defaults are those of a test that says nothing.
struct Constraints {
  int min_numa_nodes = 1;
  std::optional<int> max_numa_nodes = 1;
  int min_llcs = 1;
  std::optional<int> max_llcs = 12;
  int min_cpus = 1;
  std::optional<int> max_cpus = 192;
  bool requires_smt = false;
};

// Why a test with these constraints does not run on `topology`, such as "3
// LLCs, test allows at most 2"; several reasons joined by "; ". Empty when it
// does.
std::string WhyExcluded(const Constraints& constraints,
                        const Topology& topology);

// Errors:
//   InvalidArgument  a negative number, a maximum of zero or a minimum above
//   its
//                    maximum; the message names the field.
absl::Status CheckConstraints(const Constraints& constraints);

}  // namespace ktstr::gauntlet

#endif  // KTSTR_GAUNTLET_CONSTRAINTS_H_
