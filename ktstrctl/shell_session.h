// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SHELL_SESSION_H_
#define KTSTR_KTSTRCTL_SHELL_SESSION_H_

#include "ktstrctl/shell_request.h"

namespace ktstr::ktstrctl {

// The whole of `ktstrctl shell`: checks, fleet, upload, guest, conversation.
//
// Returns the exit code of the command or shell, 128 + N when signal N ended
// it. Else, with a line on standard error (exit_code.h): 2 bad input, 3 our
// machinery broke, 1 the guest crashed or, under a command, powered off; 130
// after a signal. Ctrl-A x and a guest that powers itself off are 0. A command
// may return the same numbers; then there is no line.
//
// The first SIGINT, SIGTERM or SIGHUP ends the guest, a second one leaves at
// once. The terminal is as it was before on every way out. Nothing of an
// embedded fleet is left behind.
int RunShell(const ShellOptions& options);

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SHELL_SESSION_H_
