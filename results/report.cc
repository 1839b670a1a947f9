// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/cycle_collapse.h"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/printable.h"
#include "results/style.h"
#include "results/timeline.h"

namespace ktstr::results {
namespace {

constexpr int kTailLines = 20;
// Of the log of a scheduler that never attached: the verifier explains itself.
constexpr int kLoadLogLines = 100;
// Reason, stack and the first CPUs.
constexpr int kDumpLines = 40;
// Findings, groups and stimuli that one report shows; the result file has all.
constexpr int kMaxRows = 50;

double Milliseconds(const google::protobuf::Duration& duration) {
  return double(duration.seconds()) * 1e3 + duration.nanos() / 1e6;
}

int64_t WholeMilliseconds(const google::protobuf::Duration& duration) {
  return duration.seconds() * 1000 + duration.nanos() / 1000000;
}

bool HasFinding(const v1::AttemptResult& result, v1::FindingKind kind) {
  return std::any_of(
      result.findings().begin(), result.findings().end(),
      [kind](const v1::Finding& finding) { return finding.kind() == kind; });
}

class Report {
 public:
  Report(const v1::Variant& variant, const ReportOptions& options)
      : variant_(variant), result_(variant.result()), options_(options) {}

  std::string Build() {
    AddFingerprint();
    AddHeader();
    AddStats();
    AddMeasurements();
    AddDiagnostics();
    if (options_.is_verbose) AddBootSteps();
    AddTimeline();
    AddSchedulerRuns();
    AddSchedulerExit();
    AddSchedulerLog();
    AddLog("test log", result_.test_log_tail(), kTailLines);
    AddLog("kernel log, last lines", result_.kernel_log_tail(), kTailLines);
    AddDump();
    AddConsole();
    return std::move(text_);
  }

 private:
  void Line(absl::string_view line) { absl::StrAppend(&text_, line, "\n"); }
  void Section(absl::string_view title) {
    Line(absl::StrCat(Styled(options_.has_colour, Tone::kBold, title), ":"));
  }
  void MoreRows(int total) {
    if (total > kMaxRows) {
      Line(
          absl::StrCat("  and ", total - kMaxRows, " more in the result file"));
    }
  }

  void AddFingerprint() {
    std::vector<std::string> last = LastLines(result_.scheduler_log_tail(), 1);
    if (last.empty()) return;
    Line(Styled(options_.has_colour, Tone::kBold, PrintableLine(last[0])));
  }

  void AddHeader() {
    const v1::VariantSpec& spec = variant_.spec();
    std::string verb = Verb();
    std::string kernel =
        spec.kernel().label().empty()
            ? ""
            : absl::StrCat(" [kernel=", PrintableLine(spec.kernel().label()),
                           "]");
    Line(
        Styled(options_.has_colour, ToneOf(result_.outcome()),
               absl::StrCat("ktstr_test '", PrintableLine(spec.test()),
                            "' [sched=", PrintableLine(spec.scheduler().name()),
                            "] [topo=", PrintableLine(spec.topology()), "]",
                            kernel, " ", verb, ":")));
    AddReasons();
  }

  std::string Verb() const {
    switch (result_.outcome()) {
      case v1::PASS:
        return "passed";
      case v1::FAIL:
        return "failed";
      default:
        return absl::StrCat("ended in ", OutcomeName(result_.outcome()));
    }
  }

  void AddReasons() {
    std::string reason = PrintableLine(result_.reason());
    if (!reason.empty()) Line(absl::StrCat("  ", reason));
    int rows = 0;
    for (const v1::Finding& finding : result_.findings()) {
      if (++rows > kMaxRows) break;
      std::string message = PrintableLine(finding.message());
      if (message == reason) continue;
      Line(absl::StrCat(
          "  ", FindingKindName(finding.kind()), ": ", message,
          finding.cgroup().empty()
              ? ""
              : absl::StrCat(" (cgroup ", PrintableLine(finding.cgroup()),
                             ")")));
    }
    MoreRows(result_.findings_size());
    for (const std::string& missed : variant_.missed()) {
      Line(absl::StrCat("  earlier attempt missed: ", PrintableLine(missed)));
    }
  }

  void AddStats() {
    if (result_.groups().empty()) return;
    Section("stats");
    int rows = 0;
    for (const v1::GroupStats& group : result_.groups()) {
      if (++rows > kMaxRows) break;
      AddGroup(group);
    }
    MoreRows(result_.groups_size());
  }

  void AddGroup(const v1::GroupStats& group) {
    std::vector<std::string> parts = {
        absl::StrCat("workers=", group.workers()),
        absl::StrCat("cpus=", group.cpus()),
        absl::StrCat("iterations=", group.iterations()),
        absl::StrCat("migrations=", group.migrations())};
    auto add = [&parts](bool has, absl::string_view name, double value,
                        absl::string_view unit) {
      if (has) parts.push_back(absl::StrFormat("%s=%.1f%s", name, value, unit));
    };
    add(group.has_spread_pct(), "spread", group.spread_pct(), "%");
    add(group.has_avg_off_cpu_pct(), "off_cpu", group.avg_off_cpu_pct(), "%");
    add(group.has_max_gap_ms(), "gap", group.max_gap_ms(), "ms");
    if (group.has_max_gap_cpu()) {
      parts.push_back(absl::StrCat("gap_cpu=", group.max_gap_cpu()));
    }
    add(group.has_p99_wake_latency_us(), "p99_wake",
        group.p99_wake_latency_us(), "us");
    add(group.has_worst_run_delay_us(), "run_delay", group.worst_run_delay_us(),
        "us");
    add(group.has_page_locality(), "page_locality", 100 * group.page_locality(),
        "%");
    add(group.has_frozen_ms(), "frozen", group.frozen_ms(), "ms");
    add(group.has_throttled_ms(), "throttled", group.throttled_ms(), "ms");
    const std::string work = PrintableLine(group.work());
    Line(absl::StrCat("  ", PrintableLine(group.cgroup()),
                      work.empty() ? "" : absl::StrCat(" ", work), ": ",
                      absl::StrJoin(parts, " ")));
  }

  // What the test recorded.
  void AddMeasurements() {
    if (result_.measurements().empty()) return;
    Section("measurements");
    int rows = 0;
    for (const v1::Measurement& measurement : result_.measurements()) {
      if (++rows > kMaxRows) break;
      Line(absl::StrFormat("  %s: %.6g %s", PrintableLine(measurement.name()),
                           measurement.value(),
                           PrintableLine(measurement.unit())));
    }
    MoreRows(result_.measurements_size());
  }

  void AddDiagnostics() {
    Section("diagnostics");
    int last = v1::PHASE_UNSPECIFIED;
    for (const v1::PhaseEvidence& evidence : result_.phases()) {
      last = std::max<int>(last, evidence.phase());
    }
    Line(absl::StrCat("  stage: ", PhaseWords(last)));
    for (const v1::PhaseEvidence& evidence : result_.phases()) {
      Line(absl::StrFormat(
          "  %8d ms  %s%s", WholeMilliseconds(evidence.since_start()),
          PhaseWords(evidence.phase()),
          evidence.detail().empty() ? ""
                                    : "  " + PrintableLine(evidence.detail())));
    }
    if (!result_.machine_end().empty()) {
      std::string detail = PrintableLine(result_.machine_end_detail());
      Line(absl::StrCat("  machine end: ", PrintableLine(result_.machine_end()),
                        detail.empty() ? "" : absl::StrCat(" (", detail, ")")));
    }
    if (!result_.host().host_id().empty()) {
      Line(absl::StrCat("  host: ", PrintableLine(result_.host().host_id()),
                        result_.host().is_overcommitted()
                            ? ", more vCPUs than host CPUs"
                            : "",
                        ", attempt ", variant_.epoch()));
    }
  }

  // Every millisecond from the start of vmm to the hello, by who spent it.
  void AddBootSteps() {
    if (result_.boot_steps().empty()) return;
    Section("boot");
    double before = 0;
    int rows = 0;
    for (const v1::BootStep& step : result_.boot_steps()) {
      if (++rows > kMaxRows) break;
      const double at = Milliseconds(step.since_start());
      Line(absl::StrFormat("  %10.1f ms  %+9.1f  %s", at, at - before,
                           BootStepWords(PrintableLine(step.name(), 32))));
      before = at;
    }
    MoreRows(result_.boot_steps_size());
  }

  void AddTimelineEntry(const TimelineEntry& entry) {
    const v1::Stimulus& stimulus = *entry.stimulus;
    std::string line = absl::StrFormat(
        "  %+8d ms  step %d  %s  ops=%d cgroups=%d workers=%d iterations=%d",
        WholeMilliseconds(stimulus.elapsed()), stimulus.step(),
        PrintableLine(stimulus.label(), 200), stimulus.ops(),
        stimulus.cgroups(), stimulus.workers(), stimulus.total_iterations());
    if (entry.iteration_rate) {
      absl::StrAppendFormat(&line, " rate=%.0f/s", *entry.iteration_rate);
    }
    if (entry.change_pct) {
      absl::StrAppendFormat(&line, " (%+.0f%%)", *entry.change_pct);
    }
    if (!entry.actions.empty()) {
      absl::StrAppend(&line, "  ", absl::StrJoin(entry.actions, ", "));
    }
    Line(line);
  }

  void AddTimeline() {
    if (result_.stimuli().empty()) return;
    Section("timeline");
    const std::vector<TimelineEntry> entries = TimelineOf(result_.stimuli());
    int rows = 0;
    for (const TimelineEntry& entry : entries) {
      if (++rows > kMaxRows) break;
      AddTimelineEntry(entry);
    }
    MoreRows(static_cast<int>(entries.size()));
  }

  void AddLog(absl::string_view title, const std::string& log, int lines) {
    std::vector<std::string> shown =
        LastLines(log, options_.is_verbose ? -1 : lines);
    if (shown.empty()) return;
    Section(title);
    for (const std::string& line : shown) Line(absl::StrCat("  ", line));
  }

  // Nothing about one that was detached because the test was over.
  void AddSchedulerExit() {
    const v1::SchedulerExit& exit = result_.scheduler_exit();
    if (!result_.has_scheduler_exit() ||
        exit.kind() == v1::EXIT_UNREGISTERED_BY_USER) {
      return;
    }
    Section("scheduler exit");
    std::string reason = PrintableLine(exit.reason(), 128);
    std::string message = PrintableLine(exit.message(), 1024);
    Line(absl::StrCat("  ", SchedulerExitName(exit.kind()),
                      reason.empty() ? "" : absl::StrCat(" (", reason, ")"),
                      message.empty() ? "" : absl::StrCat(": ", message)));
    int rows = 0;
    for (const std::string& frame : exit.backtrace()) {
      if (++rows > kMaxRows) break;
      Line(absl::StrCat("    ", PrintableLine(frame, 256)));
    }
    MoreRows(exit.backtrace_size());
  }

  // Only where the test itself attached or detached it.
  void AddSchedulerRuns() {
    if (result_.scheduler_runs().empty()) return;
    Section("scheduler runs");
    int rows = 0;
    for (const v1::SchedulerRun& run : result_.scheduler_runs()) {
      if (++rows > kMaxRows) break;
      std::string args = PrintableLine(absl::StrJoin(run.args(), " "), 200);
      Line(absl::StrCat("  ", rows, ": ",
                        run.ended_by_test() ? "ended by the test"
                        : run.died()        ? "died"
                                            : "ended",
                        ", ", SchedulerExitName(run.exit().kind()),
                        args.empty() ? "" : absl::StrCat("  ", args)));
    }
    MoreRows(result_.scheduler_runs_size());
  }

  void AddSchedulerLog() {
    const bool has_attached =
        std::any_of(result_.phases().begin(), result_.phases().end(),
                    [](const v1::PhaseEvidence& evidence) {
                      return evidence.phase() == v1::SCHEDULER_ATTACHED;
                    });
    const std::string& log = result_.scheduler_log_tail();
    const int64_t dropped = result_.scheduler_log_bytes_dropped();
    const std::string title =
        dropped > 0 ? absl::StrCat("scheduler log (", dropped,
                                   " bytes before it are not kept)")
                    : "scheduler log";
    AddLog(title, options_.is_verbose ? log : CollapseCycles(log),
           has_attached ? kTailLines : kLoadLogLines);
  }

  // Its beginning, which says most.
  void AddDump() {
    std::vector<std::string> lines = LastLines(result_.sched_ext_dump(), -1);
    if (lines.empty()) return;
    Section("sched_ext dump");
    const size_t count = options_.is_verbose
                             ? lines.size()
                             : std::min(lines.size(), size_t{kDumpLines});
    for (size_t i = 0; i < count; ++i) Line(absl::StrCat("  ", lines[i]));
    if (count < lines.size()) {
      Line(absl::StrCat("  and ", lines.size() - count,
                        " lines more in the dump's file"));
    }
  }

  void AddConsole() {
    bool is_whole = HasFinding(result_, v1::KERNEL_PANIC);
    AddLog(is_whole ? "console" : "console, last lines", result_.console_tail(),
           is_whole ? -1 : kTailLines);
  }

  const v1::Variant& variant_;
  const v1::AttemptResult& result_;
  const ReportOptions options_;
  std::string text_;
};

}  // namespace

std::string VariantReport(const v1::Variant& variant,
                          const ReportOptions& options) {
  return Report(variant, options).Build();
}

bool NeedsReport(const v1::Variant& variant) {
  switch (variant.result().outcome()) {
    case v1::FAIL:
    case v1::ERROR:
    case v1::MISS:
      return true;
    default:
      return false;
  }
}

std::string ReasonOf(const v1::Variant& variant) {
  const v1::AttemptResult& result = variant.result();
  if (!result.reason().empty()) return result.reason();
  if (!result.findings().empty()) return result.findings(0).message();
  if (result.outcome() == v1::PASS) return "";
  return result.machine_end();
}

}  // namespace ktstr::results
