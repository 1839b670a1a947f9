// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SUBMIT_SESSION_H_
#define KTSTR_KTSTRCTL_SUBMIT_SESSION_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ktstrctl/submission.h"

namespace ktstr::v1 {
class Variant;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// The whole of `ktstrctl submit`: checks, fleet, upload, run, results. Returns
// the exit code (exit_code.h).
//
// Ctrl-C cancels the run and waits for the hosts to confirm, a second one
// leaves at once; SIGTERM and SIGHUP are the same. Before a run exists the
// first one leaves at once. Nothing of an embedded fleet is left behind.
int RunSubmit(const SubmitOptions& options);

// A finished run, for whoever shows it.
struct FinishedRun {
  std::vector<const v1::Variant*> variants;  // by index
  std::string result_directory;
  int exit_code = 0;
  bool is_terminal = false;  // where standard output goes
};

// What a command that submits something of its own does in its own way.
struct SubmitParts {
  std::function<absl::StatusOr<Submission>()> prepare;
  // All it has to say, to be printed on standard output. The reports of
  // variants that did not pass are included on demand (results/report.h).
  std::function<std::string(const FinishedRun&)> show;
};

// As RunSubmit() otherwise; with `options.is_json`, show() gives that, and
// everything else goes to standard error.
int RunSubmit(const SubmitOptions& options, const SubmitParts& parts);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SUBMIT_SESSION_H_
