// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/verification.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gauntlet/profiles.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/libexec.h"
#include "ktstrctl/scheduler_flags.h"
#include "ktstrctl/schedulers.h"
#include "proto/fleet.pb.h"

namespace ktstr::ktstrctl {
namespace {

constexpr char kSuite[] = "verifier_suite";
constexpr size_t kManyProfiles = 32;
// Of a name that is put together from a program and its flags.
constexpr size_t kMaxNameBytes = 100;

// Another scheduler program than those of `submission`, found the same way.
absl::StatusOr<v1::SchedulerSpec> DescribeProgram(const std::string& program,
                                                  const SubmitOptions& options,
                                                  Submission& submission) {
  ABSL_ASSIGN_OR_RETURN(kernel::KernelCache cache, kernel::KernelCache::Open());
  ABSL_ASSIGN_OR_RETURN(std::vector<kernel::ResolvedKernel> kernels,
                        kernel::ResolveKernels(options.kernels, cache));
  v1::SubmitRequest request;
  ABSL_RETURN_IF_ERROR(
      AddSchedulers({.given = {program}, .args = options.scheduler_args},
                    kernels, request, submission.artifacts));
  return request.schedulers(0);
}

absl::Status CheckIsProgram(const char* option, const std::string& text) {
  if (text != "default") return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      option, " default: the kernel's own scheduler has no BPF programs"));
}

absl::StatusOr<std::vector<gauntlet::Profile>> ProfilesOf(
    const VerifierOptions& options, const v1::SchedulerSpec& scheduler) {
  if (!options.has_all_profiles) {
    return std::vector<gauntlet::Profile>{{.name = "default"}};
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<gauntlet::Flag> flags,
                        ListSchedulerFlags(scheduler.found_at()));
  absl::StatusOr<std::vector<gauntlet::Profile>> profiles =
      gauntlet::AllProfiles(flags, {});
  if (!profiles.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("flags of scheduler ", scheduler.found_at(), ": ",
                     profiles.status().message()));
  }
  return profiles;
}

class Planner {
 public:
  Planner(const VerifierOptions& options, VerificationPlan& plan,
          v1::SubmitRequest& request)
      : options_(options), plan_(plan), request_(request) {}

  absl::Status Add(const v1::SchedulerSpec& scheduler, bool is_b) {
    ABSL_ASSIGN_OR_RETURN(std::vector<gauntlet::Profile> profiles,
                          ProfilesOf(options_, scheduler));
    if (profiles.size() > kManyProfiles) {
      plan_.warnings.push_back(
          absl::StrCat("warning: scheduler ", scheduler.name(), " has ",
                       profiles.size(), " profiles, each boots a guest"));
    }
    for (const gauntlet::Profile& profile : profiles) {
      v1::SchedulerSpec& added = *request_.add_schedulers();
      added = scheduler;
      added.set_wants_verifier_log(true);
      for (const std::string& arg : profile.args) added.add_args(arg);
      added.set_name(NameFor(scheduler.name(), profile.name, is_b));
      plan_.subjects[added.name()] = {
          .is_b = is_b, .scheduler = scheduler.name(), .profile = profile.name};
      auto& known = plan_.profiles;
      if (std::find(known.begin(), known.end(), profile.name) == known.end()) {
        known.push_back(profile.name);
      }
    }
    return absl::OkStatus();
  }

 private:
  // Unique in the request, made of what a scheduler's name may consist of.
  std::string NameFor(const std::string& scheduler, const std::string& profile,
                      bool is_b) {
    std::string name = scheduler;
    if (!options_.against.empty()) name = (is_b ? "B." : "A.") + name;
    if (!options_.has_all_profiles) return name;
    std::string whole = absl::StrCat(name, "@", profile);
    if (whole.size() <= kMaxNameBytes) return whole;
    return absl::StrCat(name, "@profile-", request_.schedulers_size());
  }

  const VerifierOptions& options_;
  VerificationPlan& plan_;
  v1::SubmitRequest& request_;
};

}  // namespace

absl::StatusOr<Submission> PrepareVerification(const VerifierOptions& options,
                                               VerificationPlan& plan) {
  ABSL_RETURN_IF_ERROR(CheckIsProgram("--scheduler", options.scheduler));
  ABSL_RETURN_IF_ERROR(CheckIsProgram("--against", options.against));
  SubmitOptions submit = options.submit;
  ABSL_ASSIGN_OR_RETURN(std::string suite, FindProgramOfOurs(kSuite));
  submit.suites = {suite};
  submit.schedulers = {options.scheduler};
  ABSL_ASSIGN_OR_RETURN(Submission submission, PrepareSubmission(submit));
  v1::SubmitRequest& request = *submission.request;
  if (request.schedulers_size() != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--scheduler ", options.scheduler, " is neither a path nor a name"));
  }
  const v1::SchedulerSpec a = request.schedulers(0);
  request.clear_schedulers();
  Planner planner(options, plan, request);
  ABSL_RETURN_IF_ERROR(planner.Add(a, /*is_b=*/false));
  if (!options.against.empty()) {
    ABSL_ASSIGN_OR_RETURN(v1::SchedulerSpec b,
                          DescribeProgram(options.against, submit, submission));
    ABSL_RETURN_IF_ERROR(planner.Add(b, /*is_b=*/true));
  }
  return submission;
}

}  // namespace ktstr::ktstrctl
