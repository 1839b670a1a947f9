// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_NAMES_H_
#define KTSTR_RESULTS_NAMES_H_

#include <string>

#include "absl/strings/string_view.h"

namespace ktstr::v1 {
class VariantSpec;
}  // namespace ktstr::v1

namespace ktstr::results {

// Names that results show. Numbers that this program does not know (a newer
// coordinator's) become "UNKNOWN_7" and the like.

std::string OutcomeName(int outcome);   // "PASS", "FAIL", ...
std::string FindingKindName(int kind);  // "STARVED", ...
// "HIGHER_BETTER", ...; by the number of v1::Polarity.
std::string PolarityName(int polarity);
std::string SchedulerExitName(int kind);  // "ERROR_STALL", ...
std::string PhaseName(int phase);         // "WORKLOAD_STARTED"
std::string PhaseWords(int phase);        // "workload started"

// What a BootStep's name stands for: "vcpus" is "vCPUs created". Names that
// this program does not know stand for themselves.
std::string BootStepWords(absl::string_view name);

// `text` as part of a file name: letters, digits, '.', '_', '-'; anything else
// is '_'; no leading dot; at most 120 bytes; never empty.
std::string FileNamePart(absl::string_view text);

// 16 hexadecimal digits over what makes the variant the same test in another
// run: name, suite name, topology, scheduler and its arguments, flags, kernel
// label. Contents of files, host and seed are left out so that runs pair up.
std::string VariantHash(const v1::VariantSpec& variant);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_NAMES_H_
