// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_RUN_SUMMARY_H_
#define KTSTR_KTSTRCTL_RUN_SUMMARY_H_

#include <string>
#include <vector>

namespace ktstr::v1 {
class ListHostsResponse;
class Run;
class Variant;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// What --json prints about a run: one object, two spaces of indentation.
// `result_directory` and `exit_code` are left out when empty and negative.
std::string RunSummaryJson(const v1::Run& run,
                           const std::vector<const v1::Variant*>& variants,
                           const std::string& result_directory, int exit_code);

// What `hosts --json` prints: one array.
std::string HostsJson(const v1::ListHostsResponse& hosts);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_RUN_SUMMARY_H_
