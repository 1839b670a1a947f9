// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/submit_session.h"

namespace ktstr::ktstrctl {
namespace {

// The parser would wrap a negative number around. Empty means fine.
std::string CheckSeed(const std::string& text) {
  uint64_t seed = 0;
  return absl::SimpleAtoi(text, &seed)
             ? ""
             : absl::StrCat(text, " is no number from 0 to 2^64 - 1");
}

}  // namespace

void AddSubmitCommand(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<SubmitOptions>();
  CLI::App* submit = app.add_subcommand(
      "submit", "Run the tests of suite binaries and wait for their results");
  submit->add_option("suite", options->suites, "Suite binaries")->required();
  auto repeated = [submit](const char* name, std::vector<std::string>& values,
                           const char* help) {
    submit->add_option(name, values, help)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
  };
  repeated(
      "--kernel", options->kernels,
      "Path, version, series or cache key (repeatable; default: discover)");
  repeated(
      "--scheduler", options->schedulers,
      "Program, name of one built with the kernel, or \"default\" "
      "(repeatable): each a dimension, in place of what tests declare. "
      "NAME=PATH: the program of the scheduler that tests declare as NAME");
  repeated("--scheduler-arg", options->scheduler_args,
           "Argument for every scheduler program (repeatable)");
  repeated("--filter", options->filters,
           "Glob over test and variant names (repeatable)");
  repeated("--preset", options->presets, "Topology preset (repeatable)");
  submit->add_option("--coordinator", options->coordinator,
                     "unix:PATH or HOST:PORT (default: a fleet of this "
                     "machine alone)");
  submit->add_flag("--json", options->is_json,
                   "Print one JSON object to standard output");
  submit->add_option("--junit", options->junit_path,
                     "Write JUnit XML to this file");
  submit
      ->add_option("--output", options->output_dir,
                   "Parent of the run's result directory")
      ->capture_default_str();
  submit
      ->add_option("--seed", options->seed,
                   "Source of all random choices (default: drawn)")
      ->check(CheckSeed);
  submit->add_option("--work-type", options->work_type,
                     "What the workers of swappable cgroups do, by name "
                     "(\"YieldHeavy\")");
  submit->add_option("--max-attempts", options->max_attempts,
                     "Tries of a variant whose attempts miss, 1 to 100");
  submit->add_flag("--quiet", options->is_quiet,
                   "No progress, only reports and the table");
  submit->callback([options, &chosen] {
    chosen = [options] { return RunSubmit(*options); };
  });
}

}  // namespace ktstr::ktstrctl
