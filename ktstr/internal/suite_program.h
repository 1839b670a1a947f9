// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_SUITE_PROGRAM_H_
#define KTSTR_KTSTR_INTERNAL_SUITE_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/types/span.h"

namespace ktstr::internal {

// Exit codes of a suite binary. Started by hand it becomes `ktstrctl submit`
// and has that program's: 0 all passed, 1 a FAIL or ERROR, 2 usage, 3 MISS.
inline constexpr int kExitOk = 0;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitMiss = 3;

// Everything a suite binary does:
//   --ktstr-list      one serialized SuiteDescription on standard output
//   --ktstr-run TEST  runs one test here; for guests. 0 once the verdict is
//                     delivered, whatever it says
//   --ktstr-cleanup   ends processes and removes cgroups that a --ktstr-run
//                     left behind because it was killed
//   --help            what there is
//   anything else     becomes `ktstrctl submit SELF args...`, found by
//                     $KTSTR_CTL, beside this program, on PATH
int RunSuiteProgram(absl::Span<const std::string> args);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_SUITE_PROGRAM_H_
