// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SCHEDULER_FLAGS_H_
#define KTSTR_KTSTRCTL_SCHEDULER_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gauntlet/profiles.h"

namespace ktstr::ktstrctl {

// What a scheduler program prints when started with --ktstr-list-flags: a JSON
// array of at most 31 objects with `name` (letters, digits, '-', '_'; at most
// 64), and, where there are any, arrays of texts `args` and `requires`.
//
// Errors: InvalidArgument that names the entry and what is accepted.
absl::StatusOr<std::vector<gauntlet::Flag>> ParseSchedulerFlags(
    absl::string_view json);

// Asks the program at `path`, on this machine.
//
// Blocks: for at most `timeout`.
// Errors: InvalidArgument, one sentence with the path: it cannot be executed,
//         does not end in time, ends badly, prints more than 1 MiB, or not as
//         above.
absl::StatusOr<std::vector<gauntlet::Flag>> ListSchedulerFlags(
    const std::string& path, absl::Duration timeout = absl::Seconds(10));

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SCHEDULER_FLAGS_H_
