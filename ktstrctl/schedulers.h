// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SCHEDULERS_H_
#define KTSTR_KTSTRCTL_SCHEDULERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "kernel/resolve.h"
#include "ktstrctl/artifacts.h"
#include "proto/fleet.pb.h"

namespace ktstr::ktstrctl {

// What a person said about schedulers, and where to look for the rest.
struct SchedulerChoices {
  // Each a path, a name, "default", or NAME=PATH for the scheduler that tests
  // declare as NAME.
  std::vector<std::string> given;
  // Behind the arguments of every program.
  std::vector<std::string> args;
  // Directory of each suite of the request, in its order.
  std::vector<std::string> suite_dirs;
  std::string working_dir = ".";
};

// Fills in the request's schedulers, declared schedulers, missing schedulers
// and configuration files; its suites are there already.
//
// A program that tests declare by name is the one given as NAME=PATH, else the
// first of: beside a suite that declares it, out/ of the working directory,
// built with one of the kernels. Nothing is looked for where a dimension is
// given, because it takes the place of what tests declare.
//
// Errors: InvalidArgument, one sentence: a scheduler, path or configuration
//         file that is not there, no program, given or declared twice. A
//         declared program that is not found is no error yet: only tests that
//         are to run need theirs.
absl::Status AddSchedulers(const SchedulerChoices& choices,
                           const std::vector<kernel::ResolvedKernel>& kernels,
                           v1::SubmitRequest& request, Artifacts& artifacts);

// Adds the shared libraries of the program at `path` to `files`.
absl::Status AddLibraries(
    const std::string& path, Artifacts& artifacts,
    google::protobuf::RepeatedPtrField<v1::GuestFile>& files);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SCHEDULERS_H_
