// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What end-to-end tests share: the real programs, started as a person would,
// and what they left on disk and on the machine.
#ifndef KTSTR_TESTS_E2E_FLEET_H_
#define KTSTR_TESTS_E2E_FLEET_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "nlohmann/json.hpp"

namespace ktstr::e2e {

// Set by tests/e2e/run.sh:
//   KTSTR_E2E_BIN        directory with every program and suite, flat
//   KTSTR_E2E_KERNEL     bootable vmlinux with sched_ext
//   KTSTR_E2E_SCHEDULER  scx_simple built from the same tree
//   KTSTR_E2E_DISTRIBUTION  image of a distribution's kernel, in its package
// Each function aborts the test program with the variable's name when it is
// unset: nothing can be tested without.
std::string Program(absl::string_view name);
std::string KernelPath();
std::string SchedulerPath();
std::string DistributionKernelPath();

// One result file of a run.
struct VariantResult {
  std::string variant;
  std::string test;
  std::string topology;
  std::string scheduler;
  std::string outcome;
  std::string reason;
  std::vector<std::string> finding_kinds;
  std::string finding_text;  // all messages, one a line
  std::vector<std::string> missed;
  std::string host_id;
  std::string scheduler_exit;  // its kind; empty when there is none
  std::string scheduler_log;   // as kept; empty when there is none
  std::string dump;            // of sched_ext; the same
  std::string console;         // the same
  nlohmann::json file;
};

// A finished `ktstrctl submit`.
struct SubmitRun {
  ExitStatus exit;
  std::string out;
  std::string err;
  std::vector<VariantResult> results;  // by variant name

  // The only result of `test` (on `scheduler`, when given). Fails the current
  // test and returns an empty result when there is none.
  VariantResult Of(absl::string_view test,
                   absl::string_view scheduler = "") const;
};

// Runs `ktstrctl submit ARGS` with results in a temporary directory, to the
// end; on KernelPath() when ARGS name no kernel.
SubmitRun Submit(std::vector<std::string> args,
                 std::vector<std::string> extra_env = {},
                 absl::Duration timeout = absl::Minutes(8));

// Reads the results below `output_dir` (the --output of a submit).
std::vector<VariantResult> ReadResults(const std::string& output_dir);

// What the project's programs have on this machine at one moment.
struct Footprint {
  std::set<std::string> processes;  // "name pid"
  std::set<std::string> files;      // below /tmp and /run
  std::set<std::string> sockets;    // bound unix sockets
  std::set<std::string> cgroups;    // below /sys/fs/cgroup
  std::set<std::string> locks;      // inodes in /proc/locks

  static Footprint Take();
  // What is here and not in `before`, one a line; empty when nothing is.
  std::string BeyondThat(const Footprint& before) const;
};

// Waits (pidfd, no polling) until every project process that is not in `before`
// has ended, or `timeout` passed. The ones that remain are in the next Take().
void AwaitProcessesGone(const Footprint& before, absl::Duration timeout);

// Process ids of running programs with this name.
std::vector<int> PidsOf(absl::string_view program);

// A program whose output is read line by line while it runs.
class Running {
 public:
  static absl::StatusOr<Running> Start(std::vector<std::string> argv,
                                       std::vector<std::string> extra_env = {});

  // Reads on until a line of standard output or standard error contains `text`.
  // DeadlineExceeded or OutOfRange (the program closed its output) otherwise;
  // the message quotes everything read.
  absl::Status AwaitLine(absl::string_view text, absl::Duration timeout);

  // Reads the rest of the output and waits for the end.
  absl::StatusOr<ExitStatus> Finish(absl::Duration timeout);

  Subprocess& process() { return process_; }
  const std::string& output() const { return output_; }

 private:
  Running(Subprocess process, UniqueFd reader)
      : process_(std::move(process)), reader_(std::move(reader)) {}

  // Appends what arrives next. False at the end of the output.
  absl::StatusOr<bool> ReadSome(absl::Time deadline);

  Subprocess process_;
  UniqueFd reader_;
  std::string output_;
  size_t searched_ = 0;
};

}  // namespace ktstr::e2e

#endif  // KTSTR_TESTS_E2E_FLEET_H_
