// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/cleanup.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ktstr::hostd {

void JudgeCleanup(absl::Duration took, absl::Duration budget,
                  Classification* judged) {
  const bool is_judged =
      judged->outcome == ktstr::v1::PASS || judged->outcome == ktstr::v1::FAIL;
  if (!is_judged || took <= budget) return;
  ktstr::v1::Finding finding;
  finding.set_kind(ktstr::v1::SLOW_CLEANUP);
  finding.set_message(absl::StrCat(
      "the guest was gone ",
      absl::FormatDuration(absl::Trunc(took, absl::Milliseconds(1))),
      " after it was done, cleanup_budget is ", absl::FormatDuration(budget)));
  if (judged->outcome == ktstr::v1::PASS) {
    judged->outcome = ktstr::v1::FAIL;
    judged->reason = finding.message();
  }
  judged->findings.push_back(std::move(finding));
}

}  // namespace ktstr::hostd
