// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_PAYLOAD_PLAN_H_
#define KTSTR_KTSTR_INTERNAL_PAYLOAD_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/subprocess.h"
#include "ktstr/payload.h"
#include "ktstr/payload_result.h"

namespace ktstr::internal {

// As PCheck, with a name of its own.
struct PayloadCheck {
  explicit PayloadCheck(const PCheck& from)
      : bound(from), metric(from.metric) {}

  PCheck bound;  // its metric is not used
  std::string metric;
};

// One run of a payload: what a test says, beside the definition.
struct PayloadPlan {
  explicit PayloadPlan(std::shared_ptr<const PayloadDef> payload);

  std::string name() const { return std::string(def->name); }

  std::shared_ptr<const PayloadDef> def;
  std::vector<std::string> args;  // those of the definition included
  size_t own_args = 0;            // how many of them are the test's
  std::vector<PayloadCheck> checks;
  std::string cgroup;  // empty: where the test is

  void AddArg(std::string word) {
    args.push_back(std::move(word));
    ++own_args;
  }
};

// InvalidArgument for a definition, argument or check that may not be.
absl::Status CheckPlan(const PayloadPlan& plan);

// The file of the program: `binary` itself where that is a path to a program,
// else its last part on `search_path`. NotFound says where it was looked for.
absl::StatusOr<std::string> FindPayloadProgram(const PayloadDef& def,
                                               const std::string& search_path);

// How a program ended and what it printed.
struct PayloadEnding {
  ExitStatus exit;
  // The time limit at which it was killed.
  std::optional<absl::Duration> limit;
  // The test ended it by the signal it was to be stopped by, or by SIGKILL.
  bool is_by_test = false;
  // Raw, at most 16 MiB each, and how many bytes more there were.
  std::string out;
  std::string err;
  uint64_t out_dropped = 0;
  uint64_t err_dropped = 0;
};

// Metrics, checks and text: what the test is told.
//
// Trust: the output may be anything.
PayloadResult Conclude(const PayloadPlan& plan, PayloadEnding ending);

// One sentence for each check that does not hold; the first is the exit code's,
// and then the only one.
std::vector<std::string> FailedChecks(const std::vector<PayloadCheck>& checks,
                                      const PayloadEnding& ending,
                                      const PayloadResult& result);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_PAYLOAD_PLAN_H_
