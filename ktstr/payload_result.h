// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_PAYLOAD_RESULT_H_
#define KTSTR_KTSTR_PAYLOAD_RESULT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ktstr/payload.h"
#include "ktstr/verdict.h"

namespace ktstr {

// What became of a program.
struct PayloadResult {
  // Whether every check held.
  bool passed() const { return findings.empty(); }
  std::optional<double> metric(std::string_view name) const;

  int exit_code = 0;  // -1: a signal ended it
  int signal = 0;     // that did
  bool timed_out = false;
  std::vector<PayloadMetric> metrics;
  // Numbers of the output were left out: there were too many, or too deep.
  bool is_truncated = false;
  // In the test's verdict already.
  std::vector<Finding> findings;
  // What it printed, the first 16 MiB of each with a notice of what was
  // dropped; bytes that are no UTF-8 are replaced.
  std::string out;
  std::string err;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_PAYLOAD_RESULT_H_
