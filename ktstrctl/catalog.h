// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_CATALOG_H_
#define KTSTR_KTSTRCTL_CATALOG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/suite.pb.h"

namespace ktstr::ktstrctl {

// The catalogue of scenarios: the suite `catalog`, one of our programs.
struct Catalog {
  std::string program;  // path
  // By category, then name.
  std::vector<v1::TestDescription> scenarios;
  // Names that HostRunOptions.work_type may have.
  std::vector<std::string> work_types;
};

// Asks the program.
//
// Errors: as FindProgramOfOurs() and ListSuite().
absl::StatusOr<Catalog> ReadCatalog();

// The scenarios of `category` (empty: of every one) that are named; all of them
// when `names` is empty.
//
// Errors: InvalidArgument for a category or name that there is not, with those
//         that are close.
absl::StatusOr<std::vector<v1::TestDescription>> ChooseScenarios(
    const Catalog& catalog, const std::string& category,
    const std::vector<std::string>& names);

// "5 CPUs, 2 LLCs": what the machine must have; empty when any will do.
std::string NeedsText(const v1::TestDescription& scenario);

// "llc+rebal", "not reject-pin"; empty for most.
std::string FlagsText(const v1::TestDescription& scenario);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_CATALOG_H_
