// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SUBMIT_SESSION_H_
#define KTSTR_KTSTRCTL_SUBMIT_SESSION_H_

#include "ktstrctl/submission.h"

namespace ktstr::ktstrctl {

// The whole of `ktstrctl submit`: checks, fleet, upload, run, results. Returns
// the exit code (exit_code.h).
//
// Ctrl-C cancels the run and waits for the hosts to confirm, a second one
// leaves at once; SIGTERM and SIGHUP are the same. Before a run exists the
// first one leaves at once. Nothing of an embedded fleet is left behind.
int RunSubmit(const SubmitOptions& options);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SUBMIT_SESSION_H_
