// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_PRINTABLE_H_
#define KTSTR_RESULTS_PRINTABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace ktstr::results {

// Text that a terminal shows and cannot obey. Guests choose the bytes of
// consoles, logs, reasons and finding messages; none of them may move a cursor,
// set a title or reorder what a person reads.
//
// Trust: any bytes in; valid UTF-8 out.

// Keeps line feeds and tabs. Control characters (C0, DEL, C1), directional
// overrides and bytes that are no UTF-8 become "\xNN" or "\u{N}"; a carriage
// return before a line feed is dropped.
std::string Printable(absl::string_view text);

// One line: line feeds and tabs are spaces, surrounding space is dropped, and
// what is longer than `max_bytes` ends in "...".
std::string PrintableLine(absl::string_view text, size_t max_bytes = 4096);

// The last `count` lines of guest text, printable, empty ones at the end left
// out. A negative count means every line.
std::vector<std::string> LastLines(absl::string_view text, int count);

// "1.23 s", "12.3 s", "2m 05s", "1h 02m"; "?" for what is no duration.
std::string ShortDuration(double seconds);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_PRINTABLE_H_
