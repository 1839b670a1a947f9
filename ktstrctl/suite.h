// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SUITE_H_
#define KTSTR_KTSTRCTL_SUITE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ktstr::v1 {
class SuiteDescription;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// Asks the suite binary at `path` what tests it has: runs it once, with
// `--ktstr-list`, after its ELF header says that it is a program for this
// machine.
//
// Trust:  whatever the program prints; at most 16 MiB of it.
// Blocks: at most `timeout`; the program is killed then.
// Errors: InvalidArgument, one sentence with the path: no such file, no ELF
//         program, another architecture, not a suite, a description that
//         breaks the rules of proto/suite.proto.
absl::StatusOr<v1::SuiteDescription> ListSuite(
    const std::string& path, absl::Duration timeout = absl::Seconds(20));

// Whether the description keeps the rules of proto/suite.proto; `path` is for
// the message.
absl::Status CheckDescription(const v1::SuiteDescription& description,
                              const std::string& path);

// Absolute, links resolved. InvalidArgument when there is no such file; `what`
// ("suite", "scheduler") is for the message.
absl::StatusOr<std::string> RealPath(const std::string& path,
                                     absl::string_view what);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SUITE_H_
