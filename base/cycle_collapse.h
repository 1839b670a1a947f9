// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BASE_CYCLE_COLLAPSE_H_
#define KTSTR_BASE_CYCLE_COLLAPSE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace ktstr {

// A log with what repeats in it left out; made for the log of the kernel's BPF
// verifier, which follows a loop round by round.
//
// Shape: of each run of three or more like blocks the first and the last
//        remain, between lines that begin with "--- " and say how many there
//        were. A block has five lines or more. Blocks are alike when they are
//        line by line, apart from register states, from where a jump was
//        found to lead, and from instruction numbers. Runs inside runs are
//        found, up to five deep. A log of fewer than 15 lines, or without
//        runs, comes back as it is.
// Trust: any bytes. Time and memory are proportional to the size of `log`.
std::string CollapseCycles(absl::string_view log);

}  // namespace ktstr

#endif  // KTSTR_BASE_CYCLE_COLLAPSE_H_
