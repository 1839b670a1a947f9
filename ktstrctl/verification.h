// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_VERIFICATION_H_
#define KTSTR_KTSTRCTL_VERIFICATION_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ktstrctl/submission.h"

namespace ktstr::ktstrctl {

// What a person asked `ktstrctl verifier` for.
struct VerifierOptions {
  // Kernels, arguments, coordinator and the like; suites and schedulers are
  // filled in by PrepareVerification().
  SubmitOptions submit;
  std::string scheduler;
  std::string against;  // empty: nothing is compared
  bool has_all_profiles = false;
  bool is_raw = false;
};

// One program with one set of flags.
struct Subject {
  bool is_b = false;
  std::string scheduler;  // file name of the program
  std::string profile;    // flags joined by '+', or "default"
};

struct VerificationPlan {
  // By the name under which the run knows it.
  std::map<std::string, Subject> subjects;
  // In the order asked for; "default" alone without --all-profiles.
  std::vector<std::string> profiles;
  // For people, one line each.
  std::vector<std::string> warnings;
};

// The submission: one variant for each kernel, program and profile, with the
// suite that does nothing (verifier_suite, one of our programs).
//
// Errors: as PrepareSubmission(), ListSchedulerFlags() and
//         gauntlet::AllProfiles().
absl::StatusOr<Submission> PrepareVerification(const VerifierOptions& options,
                                               VerificationPlan& plan);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_VERIFICATION_H_
