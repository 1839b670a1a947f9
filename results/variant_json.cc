// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "results/variant_json.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/fleet.pb.h"
#include "results/names.h"
#include "results/rollup.h"
#include "results/timeline.h"
#include "results/verifier.h"

namespace ktstr::results {
namespace {

using json = ::nlohmann::ordered_json;

json TextOrNull(const std::string& text) {
  return text.empty() ? json() : json(text);
}

template <typename T>
json ValueOrNull(const std::optional<T>& value) {
  return value ? json(*value) : json();
}

double Milliseconds(const google::protobuf::Duration& duration) {
  return std::round(duration.seconds() * 1e6 + duration.nanos() / 1e3) / 1e3;
}

std::string Iso8601(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

json ArtifactJson(bool is_present, const v1::ArtifactRef& artifact) {
  if (!is_present) return nullptr;
  return {{"name", artifact.name()},
          {"sha256", artifact.sha256()},
          {"size_bytes", artifact.size_bytes()}};
}

json WritesJson(
    const google::protobuf::RepeatedPtrField<v1::FileWrite>& writes) {
  json out = json::array();
  for (const v1::FileWrite& write : writes) {
    out.push_back({{"path", write.path()}, {"value", write.value()}});
  }
  return out;
}

// Null for a scheduler that declares no time-out of its watchdog.
json WatchdogJson(const v1::AttemptResult& result) {
  if (!result.has_watchdog()) return json();
  const v1::WatchdogOverride& watchdog = result.watchdog();
  auto jiffies = [](bool has, uint64_t value) {
    return has ? json(value) : json();
  };
  return {{"timeout_ms", Milliseconds(watchdog.timeout())},
          {"jiffies_before",
           jiffies(watchdog.has_jiffies_before(), watchdog.jiffies_before())},
          {"jiffies_written",
           jiffies(watchdog.has_jiffies_written(), watchdog.jiffies_written())},
          {"jiffies_read",
           jiffies(watchdog.has_jiffies_read(), watchdog.jiffies_read())},
          {"had_effect", watchdog.had_effect()},
          {"detail", TextOrNull(watchdog.detail())}};
}

// What the scheduler asked of its guest.
json SetupJson(const v1::SchedulerSetup& setup) {
  json kargs = json::array();
  for (const std::string& word : setup.kargs()) kargs.push_back(word);
  json sysctls = json::array();
  for (const v1::Sysctl& sysctl : setup.sysctls()) {
    sysctls.push_back({{"key", sysctl.key()}, {"value", sysctl.value()}});
  }
  return {
      {"kargs", kargs},
      {"sysctls", sysctls},
      {"cgroup_parent", TextOrNull(setup.cgroup_parent())},
      {"watchdog_timeout_ms", setup.has_watchdog_timeout()
                                  ? json(Milliseconds(setup.watchdog_timeout()))
                                  : json()},
      {"enable", WritesJson(setup.enable())},
      {"disable", WritesJson(setup.disable())}};
}

// What the test writes into the scheduler's BPF maps.
json MapWritesJson(const v1::VariantSpec& spec) {
  json out = json::array();
  for (const v1::BpfMapWrite& write : spec.bpf_map_writes()) {
    out.push_back({{"map_suffix", write.map_suffix()},
                   {"offset", write.offset()},
                   {"value", write.value()}});
  }
  return out;
}

json ExpectationJson(const v1::Expectation& expectation) {
  json out = {{"findings", json::array()}, {"also", json::array()}};
  for (int kind : expectation.findings()) {
    out["findings"].push_back(FindingKindName(kind));
  }
  for (int kind : expectation.also()) {
    out["also"].push_back(FindingKindName(kind));
  }
  out["scheduler_exit"] =
      expectation.scheduler_exit() == v1::EXIT_UNSPECIFIED
          ? json()
          : json(SchedulerExitName(expectation.scheduler_exit()));
  return out;
}

json MachineJson(const v1::MachineLayout& machine) {
  json out = {{"nodes", json::array()}, {"distances", machine.distances()}};
  for (const v1::MachineNode& node : machine.nodes()) {
    out["nodes"].push_back(
        {{"llcs", node.llcs()},
         {"memory_mib", node.memory_mib()},
         {"latency_ns", node.latency_ns()},
         {"bandwidth_mbps", node.bandwidth_mbps()},
         {"memory_side_cache_mib", node.memory_side_cache_mib()}});
  }
  return out;
}

void AddSpec(const v1::VariantSpec& spec, json& out) {
  out["variant"] = spec.name();
  out["test_name"] = spec.test();
  out["preset"] = TextOrNull(spec.preset());
  out["topology"] = spec.topology();
  out["machine"] = spec.has_machine() ? MachineJson(spec.machine()) : json();
  out["memory_mib"] = spec.memory_mib();
  out["profile"] = TextOrNull(spec.profile());
  out["active_flags"] = json::array();
  for (const std::string& flag : spec.flags()) {
    out["active_flags"].push_back(flag);
  }
  out["scheduler"] = spec.scheduler().name();
  out["scheduler_args"] = json::array();
  for (const std::string& arg : spec.scheduler().args()) {
    out["scheduler_args"].push_back(arg);
  }
  out["scheduler_binary"] =
      ArtifactJson(spec.scheduler().has_binary(), spec.scheduler().binary());
  out["scheduler_commit"] = nullptr;
  out["scheduler_origin"] =
      spec.scheduler().origin() == v1::PROGRAM_ORIGIN_UNSPECIFIED
          ? json()
          : json(v1::ProgramOrigin_Name(spec.scheduler().origin()));
  out["scheduler_found_at"] = TextOrNull(spec.scheduler().found_at());
  out["scheduler_setup"] = spec.scheduler().has_setup()
                               ? SetupJson(spec.scheduler().setup())
                               : json();
  out["bpf_map_writes"] = MapWritesJson(spec);
  out["kernel"] = TextOrNull(spec.kernel().label());
  out["kernel_image"] =
      ArtifactJson(spec.kernel().has_image(), spec.kernel().image());
  out["suite"] = ArtifactJson(spec.has_suite(), spec.suite());
  out["duration_ms"] =
      spec.has_duration() ? json(Milliseconds(spec.duration())) : json();
  out["workers_per_cgroup"] = spec.workers_per_cgroup();
  out["work_type"] = TextOrNull(spec.work_type());
  out["performance_mode"] = spec.performance_mode();
  out["expectation"] =
      spec.has_expectation() ? ExpectationJson(spec.expectation()) : json();
  out["repetition"] = spec.has_repetition()
                          ? json({{"run", spec.repetition().run()},
                                  {"of", spec.repetition().of()},
                                  {"require", spec.repetition().require()}})
                          : json();
  out["quarantine"] = spec.has_quarantine()
                          ? json({{"reason", spec.quarantine().reason()},
                                  {"until", spec.quarantine().until()}})
                          : json();
  out["seed"] = absl::StrCat(spec.seed());
}

json PhasesJson(const v1::AttemptResult& result) {
  json phases = json::array();
  for (const v1::PhaseEvidence& evidence : result.phases()) {
    phases.push_back({{"phase", PhaseName(evidence.phase())},
                      {"since_start_ms", Milliseconds(evidence.since_start())},
                      {"detail", TextOrNull(evidence.detail())}});
  }
  return phases;
}

json BootStepsJson(const v1::AttemptResult& result) {
  json steps = json::array();
  for (const v1::BootStep& step : result.boot_steps()) {
    steps.push_back({{"step", TextOrNull(step.name())},
                     {"since_start_ms", Milliseconds(step.since_start())}});
  }
  return steps;
}

json FindingsJson(const v1::AttemptResult& result) {
  json findings = json::array();
  for (const v1::Finding& finding : result.findings()) {
    findings.push_back({{"kind", FindingKindName(finding.kind())},
                        {"message", finding.message()},
                        {"cgroup", TextOrNull(finding.cgroup())},
                        {"is_expected", finding.is_expected()}});
  }
  return findings;
}

#define KTSTR_OPTIONAL_FIELD(message, field) \
  ((message).has_##field() ? json((message).field()) : json())

json GroupJson(const v1::GroupStats& group) {
  return {
      {"cgroup", group.cgroup()},
      {"work_type", TextOrNull(group.work())},
      {"num_workers", group.workers()},
      {"num_cpus", group.cpus()},
      {"avg_off_cpu_pct", KTSTR_OPTIONAL_FIELD(group, avg_off_cpu_pct)},
      {"min_off_cpu_pct", KTSTR_OPTIONAL_FIELD(group, min_off_cpu_pct)},
      {"max_off_cpu_pct", KTSTR_OPTIONAL_FIELD(group, max_off_cpu_pct)},
      {"spread", KTSTR_OPTIONAL_FIELD(group, spread_pct)},
      {"max_gap_ms", KTSTR_OPTIONAL_FIELD(group, max_gap_ms)},
      {"max_gap_cpu", KTSTR_OPTIONAL_FIELD(group, max_gap_cpu)},
      {"total_migrations", group.migrations()},
      {"migration_ratio", KTSTR_OPTIONAL_FIELD(group, migration_ratio)},
      {"p99_wake_latency_us", KTSTR_OPTIONAL_FIELD(group, p99_wake_latency_us)},
      {"median_wake_latency_us",
       KTSTR_OPTIONAL_FIELD(group, median_wake_latency_us)},
      {"wake_latency_cv", KTSTR_OPTIONAL_FIELD(group, wake_latency_cv)},
      {"wake_latency_tail_ratio", ValueOrNull(WakeLatencyTailRatio(group))},
      {"total_iterations", group.iterations()},
      {"total_work_units", group.work_units()},
      {"iterations_per_worker", ValueOrNull(IterationsPerWorker(group))},
      {"mean_run_delay_us", KTSTR_OPTIONAL_FIELD(group, mean_run_delay_us)},
      {"worst_run_delay_us", KTSTR_OPTIONAL_FIELD(group, worst_run_delay_us)},
      {"frozen_ms", KTSTR_OPTIONAL_FIELD(group, frozen_ms)},
      {"throttled_ms", KTSTR_OPTIONAL_FIELD(group, throttled_ms)},
      {"page_locality", KTSTR_OPTIONAL_FIELD(group, page_locality)},
      {"cross_node_migration_ratio",
       KTSTR_OPTIONAL_FIELD(group, cross_node_migration_ratio)},
  };
}

#undef KTSTR_OPTIONAL_FIELD

// Null when no work group reported anything.
json StatsJson(const v1::AttemptResult& result) {
  if (result.groups().empty()) return nullptr;
  Rollup rollup = RollUp(result.groups());
  json stats = {
      {"total_workers", rollup.total_workers},
      {"total_cpus", rollup.total_cpus},
      {"total_migrations", rollup.total_migrations},
      {"total_iterations", rollup.total_iterations},
      {"worst_spread", ValueOrNull(rollup.worst_spread_pct)},
      {"worst_gap_ms", ValueOrNull(rollup.worst_gap_ms)},
      {"worst_gap_cpu", ValueOrNull(rollup.worst_gap_cpu)},
      {"worst_migration_ratio", ValueOrNull(rollup.worst_migration_ratio)},
      {"worst_p99_wake_latency_us",
       ValueOrNull(rollup.worst_p99_wake_latency_us)},
      {"worst_median_wake_latency_us",
       ValueOrNull(rollup.worst_median_wake_latency_us)},
      {"worst_wake_latency_cv", ValueOrNull(rollup.worst_wake_latency_cv)},
      {"worst_wake_latency_tail_ratio",
       ValueOrNull(rollup.worst_wake_latency_tail_ratio)},
      {"worst_mean_run_delay_us", ValueOrNull(rollup.worst_mean_run_delay_us)},
      {"worst_run_delay_us", ValueOrNull(rollup.worst_run_delay_us)},
      {"worst_page_locality", ValueOrNull(rollup.worst_page_locality)},
      {"worst_cross_node_migration_ratio",
       ValueOrNull(rollup.worst_cross_node_migration_ratio)},
      {"worst_iterations_per_worker",
       ValueOrNull(rollup.worst_iterations_per_worker)},
      {"cgroups", json::array()},
  };
  for (const v1::GroupStats& group : result.groups()) {
    stats["cgroups"].push_back(GroupJson(group));
  }
  return stats;
}

// What the test recorded.
json MeasurementsJson(const v1::AttemptResult& result) {
  json out = json::array();
  for (const v1::Measurement& measurement : result.measurements()) {
    out.push_back({{"name", measurement.name()},
                   {"value", measurement.value()},
                   {"unit", TextOrNull(measurement.unit())},
                   {"polarity", PolarityName(measurement.polarity())},
                   {"target", measurement.polarity() == v1::TARGET_VALUE
                                  ? json(measurement.target())
                                  : json()}});
  }
  return out;
}

json StimuliJson(const v1::AttemptResult& result) {
  json stimuli = json::array();
  for (const TimelineEntry& entry : TimelineOf(result.stimuli())) {
    const v1::Stimulus& stimulus = *entry.stimulus;
    json actions = json::array();
    for (const std::string& action : entry.actions) actions.push_back(action);
    stimuli.push_back(
        {{"elapsed_ms", Milliseconds(stimulus.elapsed())},
         {"label", stimulus.label()},
         {"step", stimulus.step()},
         {"op_kinds", stimulus.op_kinds()},
         {"actions", actions},
         {"ops", stimulus.ops()},
         {"cgroups", stimulus.cgroups()},
         {"workers", stimulus.workers()},
         {"total_iterations", stimulus.total_iterations()},
         {"iteration_rate", ValueOrNull(entry.iteration_rate)},
         {"iteration_rate_change_pct", ValueOrNull(entry.change_pct)}});
  }
  return stimuli;
}

json SchedulerExitJson(const v1::SchedulerExit& exit) {
  json task;
  if (exit.has_stalled_task()) {
    task = {{"comm", exit.stalled_task().comm()},
            {"pid", exit.stalled_task().pid()},
            {"waited_ms", Milliseconds(exit.stalled_task().waited())}};
  }
  json backtrace = json::array();
  for (const std::string& frame : exit.backtrace()) backtrace.push_back(frame);
  return {{"kind", SchedulerExitName(exit.kind())},
          {"ops", TextOrNull(exit.ops())},
          {"reason", TextOrNull(exit.reason())},
          {"message", TextOrNull(exit.message())},
          {"stalled_task", task},
          {"backtrace", backtrace}};
}

// Empty unless the test itself attached or detached the scheduler.
json SchedulerRunsJson(const v1::AttemptResult& result) {
  json runs = json::array();
  for (const v1::SchedulerRun& run : result.scheduler_runs()) {
    json args = json::array();
    for (const std::string& arg : run.args()) args.push_back(arg);
    runs.push_back(
        {{"args", args},
         {"ended_by_test", run.ended_by_test()},
         {"died", run.died()},
         {"detached_early", run.detached_early()},
         {"exit", run.has_exit() ? SchedulerExitJson(run.exit()) : json()}});
  }
  return runs;
}

json HostJson(const v1::AttemptResult& result) {
  if (!result.has_host()) return nullptr;
  const v1::HostContext& host = result.host();
  return {
      {"host_id", host.host_id()},
      {"cpu_model", TextOrNull(host.cpu_model())},
      {"kernel_release", TextOrNull(host.kernel_release())},
      {"online_cpus",
       host.online_cpus() > 0 ? json(host.online_cpus()) : json()},
      {"memory_mib", host.memory_mib() > 0 ? json(host.memory_mib()) : json()},
      {"guest_mips", host.guest_mips() > 0 ? json(host.guest_mips()) : json()},
      {"is_overcommitted", host.is_overcommitted()},
      {"host_class", TextOrNull(host.host_class())},
  };
}

std::optional<absl::Time> StartedAt(const v1::AttemptResult& result) {
  if (!result.has_started_at()) return std::nullopt;
  return absl::FromUnixSeconds(result.started_at().seconds()) +
         absl::Nanoseconds(result.started_at().nanos());
}

void AddResult(const v1::Variant& variant, json& out) {
  const v1::AttemptResult& result = variant.result();
  out["outcome"] = OutcomeName(result.outcome());
  out["passed"] = result.outcome() == v1::PASS || result.outcome() == v1::SKIP;
  out["skipped"] = result.outcome() == v1::SKIP;
  out["reason"] = TextOrNull(result.reason());
  out["findings"] = FindingsJson(result);
  out["scheduler_exit"] = result.has_scheduler_exit()
                              ? SchedulerExitJson(result.scheduler_exit())
                              : json();
  out["scheduler_runs"] = SchedulerRunsJson(result);
  out["stats"] = StatsJson(result);
  out["measurements"] = MeasurementsJson(result);
  out["stimulus_events"] = StimuliJson(result);
  out["verifier_stats"] = result.has_bpf_programs()
                              ? BpfProgramsJson(result.bpf_programs())
                              : json();
  out["phases"] = PhasesJson(result);
  out["boot_steps"] = BootStepsJson(result);
  out["watchdog"] = WatchdogJson(result);
  out["machine_end"] = TextOrNull(result.machine_end());
  out["machine_end_detail"] = TextOrNull(result.machine_end_detail());
  out["attempt_epoch"] = variant.epoch() > 0 ? json(variant.epoch()) : json();
  out["missed"] = json::array();
  for (const std::string& reason : variant.missed()) {
    out["missed"].push_back(reason);
  }
  // What the guest said it runs beats what the image says.
  out["kernel_version"] = TextOrNull(result.guest_kernel_release().empty()
                                         ? variant.spec().kernel().version()
                                         : result.guest_kernel_release());
  std::optional<absl::Time> started = StartedAt(result);
  out["started_at"] = started ? json(Iso8601(*started)) : json();
  out["wall_time_ms"] =
      result.has_wall_time() ? json(Milliseconds(result.wall_time())) : json();
  out["cleanup_duration_ms"] = result.has_cleanup_time()
                                   ? json(Milliseconds(result.cleanup_time()))
                                   : json();
  out["host"] = HostJson(result);
}

// Keys of the format whose source does not exist yet: null says "not known".
void AddNotCollected(json& out) {
  for (const char* key : {"kernel_commit", "payload", "metrics", "monitor",
                          "kvm_stats", "sysctls", "kargs"}) {
    out[key] = nullptr;
  }
}

}  // namespace

std::string VariantJson(const v1::Variant& variant, const RunFacts& facts,
                        const LogFiles& logs, absl::Time written_at) {
  json out = {{"format_version", 1},
              {"run_id", facts.run_id},
              {"index", variant.index()}};
  AddSpec(variant.spec(), out);
  AddResult(variant, out);
  out["project_commit"] = TextOrNull(facts.project_commit);
  out["run_source"] = TextOrNull(facts.run_source);
  out["timestamp"] = Iso8601(written_at);
  out["logs"] = {{"console", TextOrNull(logs.console)},
                 {"kernel", TextOrNull(logs.kernel)},
                 {"scheduler", TextOrNull(logs.scheduler)},
                 {"test", TextOrNull(logs.test)},
                 {"dump", TextOrNull(logs.dump)},
                 {"verifier", TextOrNull(logs.verifier)}};
  out["scheduler_log_bytes_dropped"] =
      variant.result().scheduler_log_bytes_dropped();
  AddNotCollected(out);
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr::results
