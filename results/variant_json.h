// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_RESULTS_VARIANT_JSON_H_
#define KTSTR_RESULTS_VARIANT_JSON_H_

#include <string>

#include "absl/time/time.h"

namespace ktstr::v1 {
class Run;
class Variant;
}  // namespace ktstr::v1

namespace ktstr::results {

// What is the same for every variant of a run.
struct RunFacts {
  std::string run_id;
  std::string project_commit;  // "abc1234" or "abc1234-dirty"; may be empty
  std::string run_source;      // "local" or "ci"
};

// Names of the files beside a result, relative to it; empty: there is none.
struct LogFiles {
  std::string console;
  std::string kernel;
  std::string scheduler;
  std::string test;
  std::string dump;      // of sched_ext
  std::string verifier;  // about the program that was refused
};

// One finished variant as the text of a *.ktstr.json file.
//
// Shape: one object, keys always the same; what was not measured or does not
//        exist is null, never zero. Durations are "<name>_ms" numbers, times
//        ISO 8601 in UTC, the seed a string of decimal digits (64 bits do not
//        survive every JSON reader). Keys: results/README.md.
// Trust: guest text is passed on with invalid UTF-8 replaced.
std::string VariantJson(const v1::Variant& variant, const RunFacts& facts,
                        const LogFiles& logs, absl::Time written_at);

}  // namespace ktstr::results

#endif  // KTSTR_RESULTS_VARIANT_JSON_H_
