// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_SUBMISSION_H_
#define KTSTR_KTSTRCTL_SUBMISSION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ktstrctl/artifacts.h"

namespace ktstr::v1 {
class SubmitRequest;
}  // namespace ktstr::v1

namespace ktstr::ktstrctl {

// What a person asked for.
struct SubmitOptions {
  std::vector<std::string> suites;
  std::vector<std::string> kernels;         // specs; empty: discovery
  std::vector<std::string> schedulers;      // as SchedulerChoices::given
  std::vector<std::string> scheduler_args;  // for each that is a program
  std::vector<std::string> filters;
  std::vector<std::string> presets;
  std::string coordinator;  // empty: the embedded fleet
  bool is_json = false;
  std::string junit_path;
  std::string output_dir = "ktstr-results";
  uint64_t seed = 0;      // 0: the coordinator draws one
  std::string work_type;  // of swappable cgroups; empty: their own
  int max_attempts = 0;   // 0: the coordinator's default
  bool is_quiet = false;
};

// A request that is ready to be sent, and the files it names.
struct Submission {
  std::unique_ptr<v1::SubmitRequest> request;
  Artifacts artifacts;

  Submission();
  Submission(Submission&&);
  Submission& operator=(Submission&&);
  ~Submission();
};

// Checks everything that can be checked without a fleet, then reads suites,
// kernels and schedulers. Starts nothing but the suites' own --ktstr-list and
// leaves nothing behind.
//
// Errors: one sentence that names what was wrong and what is accepted: unknown
//         test, preset, scheduler or kernel, a program that a test needs and
//         that is not here, a suite that is none, a kernel
//         without sched_ext for a scheduler, a directory that cannot be
//         written.
absl::StatusOr<Submission> PrepareSubmission(const SubmitOptions& options);

// 32 random hexadecimal digits.
std::string MakeRequestId();

// The repository around the working directory: seven digits of HEAD, "-dirty"
// behind them when tracked files differ; empty when there is none.
std::string ProjectCommit();

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_SUBMISSION_H_
