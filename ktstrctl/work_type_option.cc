// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/work_type_option.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gauntlet/close_names.h"

namespace ktstr::ktstrctl {

absl::Status CheckWorkType(const std::string& name,
                           const std::vector<std::string>& known) {
  if (name.empty() || absl::c_linear_search(known, name)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--work-type: there is no work type \"", name, "\"",
                   gauntlet::DidYouMean(name, known), "; there are ",
                   known.empty() ? "none" : absl::StrJoin(known, ", ")));
}

}  // namespace ktstr::ktstrctl
