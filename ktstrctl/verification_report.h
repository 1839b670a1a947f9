// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_VERIFICATION_REPORT_H_
#define KTSTR_KTSTRCTL_VERIFICATION_REPORT_H_

#include <string>

#include "ktstrctl/submit_session.h"
#include "ktstrctl/verification.h"

namespace ktstr::ktstrctl {

// What `ktstrctl verifier` prints.
//
// Shape: for each kernel (named by a header line where there are several) and
//        each program and profile, a line a BPF program; with --against a table
//        for each profile, with --all-profiles a summary. The log of a refused
//        program has its cycles collapsed (base/cycle_collapse.h); with --raw
//        logs are printed as they are, those of accepted programs too.
// Trust: nothing that a guest sent steers a terminal.
std::string VerificationText(const VerifierOptions& options,
                             const VerificationPlan& plan,
                             const FinishedRun& run);

// The same as one JSON object: `exit_code`, `result_directory`, `warnings`,
// `results`, `comparisons`.
std::string VerificationJson(const VerifierOptions& options,
                             const VerificationPlan& plan,
                             const FinishedRun& run);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_VERIFICATION_REPORT_H_
