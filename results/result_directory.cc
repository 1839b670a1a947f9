// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/result_directory.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/report.h"
#include "results/verifier.h"

namespace ktstr::results {
namespace {

using json = ::nlohmann::ordered_json;

constexpr int kMaxTries = 100;

std::string NearestExisting(std::string path) {
  while (path != "/" && path != "." && !FileExists(path)) {
    path = std::string(Dirname(path));
  }
  return path;
}

// A directory that did not exist before: `wanted`, else with "-2", "-3", ...
absl::StatusOr<std::string> MakeFresh(const std::string& wanted) {
  for (int i = 1; i <= kMaxTries; ++i) {
    std::string path = i == 1 ? wanted : absl::StrCat(wanted, "-", i);
    if (mkdir(path.c_str(), 0755) == 0) return path;
    if (errno != EEXIST) {
      return absl::ErrnoToStatus(errno, absl::StrCat("create ", path));
    }
  }
  return absl::AlreadyExistsError(
      absl::StrCat(wanted, " and ", kMaxTries, " names like it exist"));
}

json CountsJson(const v1::RunCounts& counts) {
  return {{"total", counts.total()},        {"pending", counts.pending()},
          {"leased", counts.leased()},      {"passed", counts.passed()},
          {"failed", counts.failed()},      {"errors", counts.errors()},
          {"missed", counts.missed()},      {"skipped", counts.skipped()},
          {"cancelled", counts.cancelled()}};
}

std::string Iso8601(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

json ExcludedJson(const v1::Run& run) {
  json excluded = json::array();
  for (const v1::Exclusion& exclusion : run.excluded()) {
    excluded.push_back(
        {{"variant", exclusion.variant()}, {"reason", exclusion.reason()}});
  }
  return excluded;
}

}  // namespace

absl::Status CheckWritable(const std::string& parent) {
  std::string nearest = NearestExisting(parent);
  std::string probe = JoinPath(nearest, ".ktstr-XXXXXX");
  if (mkdtemp(probe.data()) == nullptr) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("cannot write into directory ", nearest));
  }
  rmdir(probe.c_str());
  return absl::OkStatus();
}

absl::StatusOr<ResultDirectory> ResultDirectory::Create(
    const std::string& parent, const RunFacts& facts, Clock* clock) {
  ABSL_RETURN_IF_ERROR(MakeDirs(parent));
  std::string stamp =
      absl::FormatTime("%Y%m%dT%H%M%SZ", clock->Now(), absl::UTCTimeZone());
  std::string wanted =
      JoinPath(parent, absl::StrCat(stamp, "-", FileNamePart(facts.run_id)));
  ABSL_ASSIGN_OR_RETURN(std::string path, MakeFresh(wanted));
  ResultDirectory directory(std::move(path), facts, clock);
  v1::Run run;
  run.set_run_id(facts.run_id);
  ABSL_RETURN_IF_ERROR(directory.WriteSummary(run));
  return directory;
}

// Unique in this directory: the hash tells variants apart, and should two agree
// in everything it covers (two suites of one name), the index does.
std::string ResultDirectory::BaseNameFor(const v1::Variant& variant) {
  std::string base = absl::StrCat(FileNamePart(variant.spec().name()), "-",
                                  VariantHash(variant.spec()));
  if (!base_names_.insert(base).second) {
    absl::StrAppend(&base, "-", variant.index());
    base_names_.insert(base);
  }
  return base;
}

absl::StatusOr<std::string> ResultDirectory::WriteLog(
    const std::string& base, const char* kind, const std::string& bytes) {
  if (bytes.empty()) return std::string();
  std::string name = absl::StrCat(base, ".", kind, ".log");
  ABSL_RETURN_IF_ERROR(WriteFileAtomically(JoinPath(path_, name), bytes));
  return name;
}

absl::Status ResultDirectory::Add(const v1::Variant& variant) {
  if (!indexes_.insert(variant.index()).second) return absl::OkStatus();
  const v1::AttemptResult& result = variant.result();
  std::string base = BaseNameFor(variant);
  LogFiles logs;
  ABSL_ASSIGN_OR_RETURN(logs.console,
                        WriteLog(base, "console", result.console_tail()));
  ABSL_ASSIGN_OR_RETURN(
      logs.scheduler, WriteLog(base, "scheduler", result.scheduler_log_tail()));
  ABSL_ASSIGN_OR_RETURN(logs.test,
                        WriteLog(base, "test", result.test_log_tail()));
  ABSL_ASSIGN_OR_RETURN(logs.kernel,
                        WriteLog(base, "kernel", result.kernel_log_tail()));
  ABSL_ASSIGN_OR_RETURN(logs.dump,
                        WriteLog(base, "dump", result.sched_ext_dump()));
  if (const v1::BpfProgram* refused = RefusedProgram(result.bpf_programs())) {
    ABSL_ASSIGN_OR_RETURN(logs.verifier,
                          WriteLog(base, "verifier", refused->log()));
  }
  std::string file = absl::StrCat(base, ".ktstr.json");
  ABSL_RETURN_IF_ERROR(
      WriteFileAtomically(JoinPath(path_, file),
                          VariantJson(variant, facts_, logs, clock_->Now())));
  written_.push_back({.index = variant.index(),
                      .name = variant.spec().name(),
                      .outcome = OutcomeName(result.outcome()),
                      .reason = ReasonOf(variant),
                      .file = file});
  return absl::OkStatus();
}

absl::Status ResultDirectory::WriteSummary(const v1::Run& run) {
  json out = {
      {"format_version", 1},
      {"run_id", facts_.run_id},
      {"is_finished", run.is_finished()},
      {"is_cancelled", run.is_cancelled()},
      {"seed", run.seed() == 0 ? json() : json(absl::StrCat(run.seed()))},
      {"created_at",
       run.has_created_at()
           ? json(Iso8601(absl::FromUnixSeconds(run.created_at().seconds())))
           : json()},
      {"written_at", Iso8601(clock_->Now())},
      {"project_commit",
       facts_.project_commit.empty() ? json() : json(facts_.project_commit)},
      {"run_source", facts_.run_source},
      {"counts", run.has_counts() ? CountsJson(run.counts()) : json()},
      {"excluded", ExcludedJson(run)},
      {"variants", json::array()}};
  for (const Written& variant : written_) {
    out["variants"].push_back(
        {{"index", variant.index},
         {"variant", variant.name},
         {"outcome", variant.outcome},
         {"reason", variant.reason.empty() ? json() : json(variant.reason)},
         {"file", variant.file}});
  }
  return WriteFileAtomically(
      JoinPath(path_, "run.json"),
      out.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace ktstr::results
