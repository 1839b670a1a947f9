// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KCONFIG_REQUIREMENTS_H_
#define KTSTR_KCONFIG_REQUIREMENTS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kconfig/verify.h"

namespace ktstr::kconfig {

// Which option a requirement needs, and what is lost without it.
struct RequiredOption {
  Requirement requirement = Requirement::kUnspecified;
  absl::string_view option;
  absl::string_view wanted;  // "y", "n" or "m or y"
  absl::string_view feature;
};

// The whole table, grouped by requirement, most important first in a group.
absl::Span<const RequiredOption> RequiredOptions();

}  // namespace ktstr::kconfig

#endif  // KTSTR_KCONFIG_REQUIREMENTS_H_
