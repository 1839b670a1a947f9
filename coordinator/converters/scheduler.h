// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_CONVERTERS_SCHEDULER_H_
#define KTSTR_COORDINATOR_CONVERTERS_SCHEDULER_H_

#include "absl/status/status.h"
#include "gauntlet/expand.h"
#include "proto/fleet.pb.h"

namespace ktstr::coordinator {

// Lengths and characters of a name that becomes a segment of variant names and
// file names. InvalidArgument; `what` stands in front of it.
absl::Status CheckLabel(absl::string_view what, absl::string_view name);

// Name, program, libraries. InvalidArgument naming what is wrong.
absl::Status CheckScheduler(const v1::SchedulerSpec& scheduler);

// What a suite's test declares of its scheduler, by the rules of
// model/scheduler_rules.h; a declared configuration file must be among the
// suite's. InvalidArgument naming the value and what is wrong with it.
absl::Status CheckDeclaredScheduler(const v1::SubmittedSuite& suite,
                                    const v1::SchedulerDescription& scheduler);

gauntlet::DeclaredScheduler ToDeclaredScheduler(
    const v1::SubmitRequest& request, const v1::SchedulerDescription& from);

// The scheduler of one variant: its program, and when that is the one the test
// declares (or neither has a program) what the declaration asks of the guest.
//
// Arguments: --config, --cell-parent-cgroup, the declared ones, the test's
// extra ones, the submission's, those of each active flag. Elsewhere only the
// submission's.
v1::SchedulerSpec SchedulerOf(const v1::SubmitRequest& request,
                              const v1::SubmittedSuite& suite,
                              const v1::TestDescription& test,
                              const gauntlet::Variant& variant);

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_CONVERTERS_SCHEDULER_H_
