// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_REPORT_H_
#define KTSTR_RESULTS_REPORT_H_

#include <string>

namespace ktstr::v1 {
class Variant;
}  // namespace ktstr::v1

namespace ktstr::results {

struct ReportOptions {
  bool has_colour = false;
  // Whole logs, as they are, instead of their last lines.
  bool is_verbose = false;
};

// What a person reads about a variant, above all one that did not pass:
// fingerprint (the last line of the scheduler's log), header with the reasons,
// then the sections stats, diagnostics, timeline, scheduler exit, scheduler
// log, test log, kernel log, sched_ext dump and console, each only when it has
// content. Twenty lines of a log, all of the console's after a kernel panic, a
// hundred of a scheduler's that never attached, the first forty of a dump. What
// repeats in the scheduler's log is left out first.
//
// Trust: guest text is printable afterwards.
std::string VariantReport(const v1::Variant& variant,
                          const ReportOptions& options);

// Whether a report says more than the table's line: FAIL, ERROR and MISS.
bool NeedsReport(const v1::Variant& variant);

// The result's reason, else its first finding's message, else the machine's
// end; may be empty. Guest-controlled.
std::string ReasonOf(const v1::Variant& variant);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_REPORT_H_
