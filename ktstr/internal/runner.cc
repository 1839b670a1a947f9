// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/runner.h"

#include <fcntl.h>
#include <stdio.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "ktstr/internal/frames.h"
#include "ktstr/internal/listing.h"
#include "ktstr/internal/payload_log.h"
#include "ktstr/internal/recorder.h"

namespace ktstr::internal {
namespace {

constexpr std::chrono::milliseconds kSettle(500);

// Where frames go. The first failed write is remembered and ends the writing.
class FrameSink {
 public:
  explicit FrameSink(std::optional<int> fd) : fd_(fd) {
    // Programs a body starts shall not hold the channel open.
    if (fd_) fcntl(*fd_, F_SETFD, FD_CLOEXEC);
  }

  void Send(const std::string& bytes) {
    if (fd_ && status_.ok()) status_ = WriteAll(*fd_, bytes);
  }
  bool is_connected() const { return fd_.has_value(); }
  const absl::Status& status() const { return status_; }

 private:
  std::optional<int> fd_;
  absl::Status status_;
};

void PrintGroup(const GroupStats& group) {
  std::string line = absl::StrFormat(
      "  group %s: %d workers on %d CPUs, %d iterations, %d work units, "
      "%d migrations",
      group.cgroup.empty() ? "(host)" : group.cgroup, group.workers, group.cpus,
      group.iterations, group.work_units, group.migrations);
  if (group.avg_off_cpu_pct) {
    absl::StrAppendFormat(&line, ", off-CPU %.1f%% (spread %.1f)",
                          *group.avg_off_cpu_pct, *group.spread_pct);
  }
  if (group.max_gap_ms) {
    absl::StrAppendFormat(&line, ", gap %.1f ms", *group.max_gap_ms);
  }
  if (group.p99_wake_latency_us) {
    absl::StrAppendFormat(&line, ", p99 wake %.0f us",
                          *group.p99_wake_latency_us);
  }
  printf("%s\n", line.c_str());
}

void PrintVerdict(const TestEntry& test, const Verdict& verdict) {
  const char* word = verdict.skipped  ? "SKIP"
                     : verdict.passed ? "PASS"
                                      : "FAIL";
  printf("%s %.*s%s%s\n", word, static_cast<int>(test.name.size()),
         test.name.data(), verdict.skipped ? ": " : "",
         verdict.skip_reason.c_str());
  for (const Finding& finding : verdict.findings) {
    printf("  %s%s%s: %s\n", FindingKindName(finding.kind),
           finding.cgroup.empty() ? "" : " ", finding.cgroup.c_str(),
           finding.message.c_str());
  }
  for (const GroupStats& group : verdict.groups) PrintGroup(group);
  for (const Measurement& measurement : verdict.measurements) {
    printf("  %s: %g %s\n", measurement.name.c_str(), measurement.value,
           measurement.unit.c_str());
  }
}

ContextParts PartsOf(const TestEntry& test, const RunSettings& settings,
                     const Machine& machine) {
  const TestOptions& options = test.options;
  Checks checks = Checks::Defaults();
  if (options.scheduler != nullptr) {
    checks = checks.With(options.scheduler->check_layer());
  }
  return {.topology = machine.topology,
          .cgroups = machine.cgroups,
          .duration = settings.duration.value_or(DurationOf(options)),
          .settle = kSettle,
          .workers_per_cgroup = settings.workers.value_or(WorkersOf(options)),
          .work_type = settings.work_type,
          .cpus = machine.cpus,
          .scheduler = machine.scheduler,
          .sched_pid = settings.sched_pid,
          .seed = settings.seed.value_or(1),
          .checks = checks.With(options.checks),
          .profile = settings.is_overcommitted
                         ? JudgingProfile::Overcommitted(
                               machine.topology->total_cpus())
                         : JudgingProfile::Strict()};
}

}  // namespace

absl::Status RunTest(const TestEntry& test, const RunSettings& settings,
                     const Machine& machine) {
  FrameSink sink(settings.frames_fd);
  ContextParts parts = PartsOf(test, settings, machine);
  parts.on_stimulus = [&](const StimulusRecord& record) {
    sink.Send(EncodeStimulus(record));
  };
  Recorder recorder;
  parts.on_record = [&](Measurement measurement) {
    recorder.Add(std::move(measurement));
  };
  PayloadLog payloads;
  parts.payloads = &payloads;
  sink.Send(EncodeStarted());
  absl::StatusOr<Verdict> result = test.body(Context(std::move(parts)));
  Verdict verdict;
  if (result.ok()) {
    verdict = *std::move(result);
  } else {
    verdict.Add({.kind = FindingKind::kTestBodyError,
                 .message = absl::StrCat("the test body returned an error: ",
                                         result.status().ToString())});
  }
  recorder.AddTo(verdict);
  payloads.AddTo(verdict);
  machine.cgroups->RemoveAll();
  if (!sink.is_connected()) PrintVerdict(test, verdict);
  fflush(stdout);
  sink.Send(EncodeVerdict(verdict));
  return Annotate(sink.status(), "write frames");
}

}  // namespace ktstr::internal
