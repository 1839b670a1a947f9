// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "ktstrctl/commands.h"
#include "ktstrctl/submit_session.h"
#include "ktstrctl/verification.h"
#include "ktstrctl/verification_report.h"
#include "proto/fleet.pb.h"
#include "results/printable.h"

namespace ktstr::ktstrctl {
namespace {

int RunVerifier(const VerifierOptions& options) {
  VerificationPlan plan;
  SubmitParts parts;
  parts.prepare = [&]() -> absl::StatusOr<Submission> {
    absl::StatusOr<Submission> submission = PrepareVerification(options, plan);
    for (const std::string& warning : plan.warnings) {
      fprintf(stderr, "ktstrctl: %s\n",
              results::PrintableLine(warning).c_str());
    }
    return submission;
  };
  parts.show = [&](const FinishedRun& run) {
    return options.submit.is_json ? VerificationJson(options, plan, run)
                                  : VerificationText(options, plan, run);
  };
  return RunSubmit(options.submit, parts);
}

}  // namespace

void AddVerifierCommand(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<VerifierOptions>();
  CLI::App* verifier = app.add_subcommand(
      "verifier",
      "What the kernel's BPF verifier says about a scheduler's programs");
  auto repeated = [verifier](const char* name, std::vector<std::string>& values,
                             const char* help) {
    verifier->add_option(name, values, help)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->allow_extra_args(false);
  };
  verifier
      ->add_option("--scheduler", options->scheduler,
                   "Program, or name of one built with the kernel")
      ->required();
  verifier->add_option("--against", options->against,
                       "Second program: a table shows both and B - A");
  repeated(
      "--kernel", options->submit.kernels,
      "Path, version, series or cache key (repeatable; default: discover)");
  repeated("--scheduler-arg", options->submit.scheduler_args,
           "Argument for every program (repeatable)");
  verifier->add_flag("--all-profiles", options->has_all_profiles,
                     "With each valid set of the flags that the program lists "
                     "by --ktstr-list-flags");
  verifier->add_flag("--raw", options->is_raw,
                     "Logs of the verifier as they are");
  verifier->add_option("--coordinator", options->submit.coordinator,
                       "unix:PATH or HOST:PORT (default: a fleet of this "
                       "machine alone)");
  verifier->add_flag("--json", options->submit.is_json,
                     "Print one JSON object to standard output");
  verifier
      ->add_option("--output", options->submit.output_dir,
                   "Parent of the run's result directory")
      ->capture_default_str();
  verifier->add_flag("--quiet", options->submit.is_quiet,
                     "No progress, only what came of it");
  verifier->callback([options, &chosen] {
    chosen = [options] { return RunVerifier(*options); };
  });
}

}  // namespace ktstr::ktstrctl
