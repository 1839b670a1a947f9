// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "gauntlet/filter.h"
#include "gauntlet/preset.h"
#include "kernel/cache.h"
#include "kernel/resolve.h"
#include "ktstrctl/schedulers.h"
#include "ktstrctl/submitted_kernel.h"
#include "ktstrctl/suite.h"
#include "ktstrctl/test_files.h"
#include "ktstrctl/work_type_option.h"
#include "proto/fleet.pb.h"
#include "results/result_directory.h"

namespace ktstr::ktstrctl {
namespace {

constexpr int kMaxAttempts = 100;

absl::Status CheckNumbers(const SubmitOptions& options) {
  if (options.max_attempts < 0 || options.max_attempts > kMaxAttempts) {
    return absl::InvalidArgumentError(
        absl::StrCat("--max-attempts ", options.max_attempts,
                     " is not between 1 and ", kMaxAttempts));
  }
  if (options.suites.empty()) {
    return absl::InvalidArgumentError("no suite given");
  }
  return absl::OkStatus();
}

absl::Status CheckPlaces(const SubmitOptions& options) {
  ABSL_RETURN_IF_ERROR(results::CheckWritable(options.output_dir));
  if (options.junit_path.empty()) return absl::OkStatus();
  return Annotate(
      results::CheckWritable(std::string(Dirname(options.junit_path))),
      "--junit");
}

// A name spelled out is a test or a mistake. What globs and variant names match
// shows only in the expansion, which the coordinator checks.
absl::Status CheckFilters(const SubmitOptions& options,
                          const v1::SubmitRequest& request) {
  std::vector<std::string> spelled_out;
  for (const std::string& pattern : options.filters) {
    if (pattern.find_first_of("/*?[") == std::string::npos) {
      spelled_out.push_back(pattern);
    }
  }
  gauntlet::Filter filter(spelled_out);
  std::vector<std::string> names;
  for (const v1::SubmittedSuite& suite : request.suites()) {
    for (const v1::TestDescription& test : suite.description().tests()) {
      filter.Wants(test.name(), test.name(), test.ignored_by_default());
      names.push_back(test.name());
    }
  }
  return filter.CheckEveryPatternMatched(names);
}

absl::Status CheckWorkTypes(const SubmitOptions& options,
                            const v1::SubmitRequest& request) {
  for (const v1::SubmittedSuite& suite : request.suites()) {
    const v1::SuiteDescription& description = suite.description();
    ABSL_RETURN_IF_ERROR(Annotate(
        CheckWorkType(options.work_type, {description.work_types().begin(),
                                          description.work_types().end()}),
        absl::StrCat("suite ", description.name())));
  }
  return absl::OkStatus();
}

absl::Status AddSuites(const SubmitOptions& options, Submission& submission) {
  std::set<std::string> seen;
  for (const std::string& path : options.suites) {
    ABSL_ASSIGN_OR_RETURN(v1::SuiteDescription description, ListSuite(path));
    ABSL_ASSIGN_OR_RETURN(std::string real, RealPath(path, "suite"));
    if (!seen.insert(real).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("suite ", path, " is given twice"));
    }
    v1::SubmittedSuite& suite = *submission.request->add_suites();
    *suite.mutable_description() = std::move(description);
    ABSL_ASSIGN_OR_RETURN(*suite.mutable_binary(),
                          submission.artifacts.Add(real));
    ABSL_RETURN_IF_ERROR(
        AddLibraries(real, submission.artifacts, *suite.mutable_libraries()));
  }
  return absl::OkStatus();
}

absl::Status AddKernels(const std::vector<kernel::ResolvedKernel>& kernels,
                        const kernel::KernelCache& cache,
                        Submission& submission) {
  std::string program;
  for (const v1::SchedulerSpec& scheduler : submission.request->schedulers()) {
    if (scheduler.has_binary()) program = scheduler.name();
  }
  for (const kernel::ResolvedKernel& resolved : kernels) {
    v1::KernelSpec& kernel = *submission.request->add_kernels();
    ABSL_ASSIGN_OR_RETURN(kernel,
                          PrepareKernel(resolved, cache, submission.artifacts));
    if (program.empty()) continue;
    ABSL_RETURN_IF_ERROR(CheckSchedExt(resolved, kernel, program));
  }
  return absl::OkStatus();
}

std::string Git(std::vector<std::string> args) {
  std::vector<std::string> argv = {"git"};
  argv.insert(argv.end(), args.begin(), args.end());
  absl::StatusOr<CommandOutput> output =
      RunCommand({.argv = argv}, absl::Seconds(5), /*max_bytes=*/4u << 20);
  return output.ok() && output->exit.ok() ? output->out : "";
}

}  // namespace

Submission::Submission() : request(std::make_unique<v1::SubmitRequest>()) {}
Submission::Submission(Submission&&) = default;
Submission& Submission::operator=(Submission&&) = default;
Submission::~Submission() = default;

absl::StatusOr<Submission> PrepareSubmission(const SubmitOptions& options) {
  ABSL_RETURN_IF_ERROR(CheckNumbers(options));
  ABSL_RETURN_IF_ERROR(gauntlet::FindPresets(options.presets).status());
  Submission submission;
  v1::SubmitRequest& request = *submission.request;
  ABSL_RETURN_IF_ERROR(AddSuites(options, submission));
  ABSL_RETURN_IF_ERROR(CheckFilters(options, request));
  ABSL_RETURN_IF_ERROR(CheckWorkTypes(options, request));
  ABSL_RETURN_IF_ERROR(CheckPlaces(options));
  ABSL_ASSIGN_OR_RETURN(kernel::KernelCache cache, kernel::KernelCache::Open());
  ABSL_ASSIGN_OR_RETURN(std::vector<kernel::ResolvedKernel> kernels,
                        kernel::ResolveKernels(options.kernels, cache));
  SchedulerChoices schedulers = {.given = options.schedulers,
                                 .args = options.scheduler_args};
  for (const std::string& path : options.suites) {
    ABSL_ASSIGN_OR_RETURN(std::string real, RealPath(path, "suite"));
    schedulers.suite_dirs.emplace_back(Dirname(real));
  }
  ABSL_RETURN_IF_ERROR(
      AddSchedulers(schedulers, kernels, request, submission.artifacts));
  const char* search_path = getenv("PATH");
  ABSL_RETURN_IF_ERROR(
      AddTestFiles({.suite_dirs = schedulers.suite_dirs,
                    .search_path = search_path ? search_path : "",
                    .filters = options.filters},
                   request, submission.artifacts));
  ABSL_RETURN_IF_ERROR(AddKernels(kernels, cache, submission));
  for (const std::string& preset : options.presets) request.add_presets(preset);
  for (const std::string& filter : options.filters) request.add_filters(filter);
  request.set_request_id(MakeRequestId());
  request.set_seed(options.seed);
  request.set_work_type(options.work_type);
  request.set_max_attempts(options.max_attempts);
  request.set_project_commit(ProjectCommit());
  return submission;
}

std::string MakeRequestId() {
  std::string bytes(16, '\0');
  // At most 256 bytes come whole or not at all, and early boot is long over.
  while (getrandom(bytes.data(), bytes.size(), 0) < 0 && errno == EINTR) {
  }
  return absl::BytesToHexString(bytes);
}

std::string ProjectCommit() {
  std::string head(
      absl::StripAsciiWhitespace(Git({"rev-parse", "--short=7", "HEAD"})));
  if (head.size() < 7 || head.size() > 40) return "";
  bool is_dirty = !Git({"status", "--porcelain", "--untracked-files=no",
                        "--ignore-submodules"})
                       .empty();
  return is_dirty ? absl::StrCat(head, "-dirty") : head;
}

}  // namespace ktstr::ktstrctl
