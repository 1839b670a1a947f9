// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_EXIT_CODE_H_
#define KTSTR_KTSTRCTL_EXIT_CODE_H_

namespace ktstr::ktstrctl {

// What the program's exit code means, the same for every command.
inline constexpr int kExitPassed = 0;       // all passed, skipped or forgiven
inline constexpr int kExitFailed = 1;       // a FAIL or an ERROR
inline constexpr int kExitUsage = 2;        // bad input; nothing was started
inline constexpr int kExitMissed = 3;       // our machinery broke, no FAIL
inline constexpr int kExitCancelled = 130;  // as a shell says for Ctrl-C

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_EXIT_CODE_H_
