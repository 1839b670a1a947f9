// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/lease_runner.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/host_cpus.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "hostd/classify.h"
#include "hostd/cleanup.h"
#include "hostd/expectation.h"
#include "hostd/machine_layout.h"
#include "hostd/performance_plan.h"
#include "hostd/watchdog_override.h"
#include "model/guest_layout.h"
#include "model/scheduler_rules.h"

namespace ktstr::hostd {
namespace {

// vmm's own deadline is the backstop of ours.
constexpr absl::Duration kVmmDeadlineSlack = absl::Seconds(5);

absl::Status CheckAttempt(const ktstr::v1::Attempt& attempt) {
  if (attempt.key().epoch() <= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("attempt epoch ", attempt.key().epoch(),
                     "; accepted are numbers from 1"));
  }
  if (!attempt.variant().kernel().has_image()) {
    return absl::InvalidArgumentError("the lease names no kernel image");
  }
  for (const std::string& word :
       attempt.variant().scheduler().setup().kargs()) {
    if (const char* why = KargProblem(word); why != nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          "kernel argument \"", absl::CHexEscape(word), "\" ", why));
    }
  }
  return absl::OkStatus();
}

// Only where the test had a hand in it.
void AddSchedulerRuns(const GuestRecord& guest,
                      ktstr::v1::AttemptResult* result) {
  const bool is_plain = guest.scheduler_runs.size() < 2 &&
                        !(guest.scheduler && guest.scheduler->ended_by_test());
  if (is_plain) return;
  for (const auto& [number, report] : guest.scheduler_runs) {
    ktstr::v1::SchedulerRun& run = *result->add_scheduler_runs();
    *run.mutable_args() = report.args();
    run.set_ended_by_test(report.ended_by_test());
    run.set_died(report.died());
    run.set_detached_early(report.detached_early());
    if (report.has_exit()) *run.mutable_exit() = report.exit();
  }
}

void FillFromWatch(WatchResult watch, ktstr::v1::AttemptResult* result) {
  for (auto& phase : watch.phases) *result->add_phases() = std::move(phase);
  for (auto& step : watch.boot_steps) {
    *result->add_boot_steps() = std::move(step);
  }
  if (watch.guest.verdict) {
    *result->mutable_groups() =
        std::move(*watch.guest.verdict->mutable_groups());
    *result->mutable_measurements() =
        std::move(*watch.guest.verdict->mutable_measurements());
  }
  AddSchedulerRuns(watch.guest, result);
  if (watch.guest.scheduler && watch.guest.scheduler->has_exit()) {
    *result->mutable_scheduler_exit() =
        std::move(*watch.guest.scheduler->mutable_exit());
  }
  if (watch.guest.bpf_programs) {
    *result->mutable_bpf_programs() = *std::move(watch.guest.bpf_programs);
  }
  for (auto& stimulus : watch.guest.stimuli) {
    *result->add_stimuli() = std::move(stimulus);
  }
  if (watch.evidence.machine_end != MachineEnd::kUnspecified) {
    result->set_machine_end(
        std::string(MachineEndName(watch.evidence.machine_end)));
  }
  result->set_machine_end_detail(watch.evidence.machine_end_detail);
  result->set_console_tail(std::move(watch.console_tail));
  result->set_test_log_tail(std::string(watch.guest.test_log.text()));
  result->set_scheduler_log_tail(std::string(watch.guest.scheduler_log.text()));
  result->set_scheduler_log_bytes_dropped(watch.guest.scheduler_log.dropped());
  result->set_kernel_log_tail(std::string(watch.guest.kernel_log.text()));
  result->set_sched_ext_dump(std::move(watch.guest.sched_ext_dump));
  result->set_guest_kernel_release(watch.kernel_release);
  if (watch.watchdog) *result->mutable_watchdog() = *watch.watchdog;
}

// Without a word of it, a test would seem to have been watched closely.
ktstr::v1::Finding WatchdogFinding(const ktstr::v1::WatchdogOverride& report) {
  ktstr::v1::Finding finding;
  finding.set_kind(ktstr::v1::NOT_EVALUATED);
  finding.set_message(
      absl::StrCat("the watchdog time-out of ",
                   absl::FormatDuration(FromProtoDuration(report.timeout())),
                   " had no effect: ", report.detail()));
  return finding;
}

}  // namespace

LeaseRunner::LeaseRunner(Options options, const RunDir* run_dir,
                         ArtifactCache* cache, PackGuest pack)
    : options_(std::move(options)),
      run_dir_(run_dir),
      cache_(cache),
      pack_(std::move(pack)) {}

ktstr::v1::AttemptResult LeaseRunner::Run(const ktstr::v1::Attempt& attempt,
                                          AttemptControl* control) const {
  ktstr::v1::AttemptResult result;
  absl::Duration started = options_.boot.clock->Monotonic();
  absl::Time wall = options_.boot.clock->Now();
  absl::StatusOr<WatchResult> watch = RunMachine(attempt, control);
  const absl::Duration gone_at = options_.boot.clock->Monotonic();
  std::optional<absl::Duration> finished_at;
  Evidence evidence;
  if (watch.ok()) {
    finished_at = watch->finished_at;
    evidence = watch->evidence;
    FillFromWatch(*std::move(watch), &result);
  } else {
    evidence.preparation = watch.status();
    evidence.stop = control->reason();
  }
  Classification judged = Classify(evidence);
  if (finished_at) {
    const absl::Duration took = gone_at - *finished_at;
    *result.mutable_cleanup_time() = ToProtoDuration(took);
    const ktstr::v1::VariantSpec& variant = attempt.variant();
    if (variant.has_cleanup_budget() && evidence.verdict) {
      JudgeCleanup(took, FromProtoDuration(variant.cleanup_budget()), &judged);
    }
  }
  ApplyExpectation(attempt.variant().expectation(),
                   result.scheduler_exit().kind(), &judged);
  if (result.has_watchdog() && !result.watchdog().had_effect()) {
    judged.findings.push_back(WatchdogFinding(result.watchdog()));
  }
  *result.mutable_key() = attempt.key();
  result.set_outcome(judged.outcome);
  result.set_reason(judged.reason);
  for (auto& finding : judged.findings) {
    *result.add_findings() = std::move(finding);
  }
  *result.mutable_host() = options_.context;
  auto topology = Topology::Parse(attempt.variant().topology());
  result.mutable_host()->set_is_overcommitted(
      topology.ok() && topology->cpus() > options_.boot.host_cpus);
  int64_t wall_ns = absl::ToUnixNanos(wall);
  result.mutable_started_at()->set_seconds(wall_ns / 1000000000);
  result.mutable_started_at()->set_nanos(
      static_cast<int32_t>(wall_ns % 1000000000));
  *result.mutable_wall_time() =
      ToProtoDuration(options_.boot.clock->Monotonic() - started);
  return result;
}

ktstr::v1::RunTestRequest LeaseRunner::MakeRequest(
    const ktstr::v1::Attempt& attempt, int vcpus) const {
  const ktstr::v1::VariantSpec& variant = attempt.variant();
  ktstr::v1::RunTestRequest request;
  request.set_test(variant.test());
  request.set_suite_path(kGuestSuitePath);
  if (variant.scheduler().has_binary()) {
    request.set_scheduler_path(kGuestSchedulerPath);
    *request.mutable_scheduler_args() = variant.scheduler().args();
  }
  request.set_scheduler_name(variant.scheduler().name());
  request.set_wants_verifier_log(variant.scheduler().wants_verifier_log());
  if (variant.scheduler().has_setup()) {
    *request.mutable_setup() = variant.scheduler().setup();
  }
  *request.mutable_bpf_map_writes() = variant.bpf_map_writes();
  *request.mutable_attach_timeout() = attempt.budget().attach();
  *request.mutable_test_timeout() = attempt.budget().test();
  *request.mutable_detach_timeout() = attempt.budget().shutdown();
  request.set_topology(variant.topology());
  *request.mutable_duration() = variant.duration();
  request.set_workers_per_cgroup(variant.workers_per_cgroup());
  request.set_work_type(variant.work_type());
  request.set_seed(variant.seed());
  request.set_is_overcommitted(vcpus > options_.boot.host_cpus);
  return request;
}

absl::StatusOr<std::optional<PerformanceSpec>> LeaseRunner::Hardware(
    const ktstr::v1::VariantSpec& variant, const Topology& topology) const {
  if (!variant.performance_mode()) return std::nullopt;
  if (options_.is_performance_mode_off) {
    return absl::FailedPreconditionError(
        absl::StrCat("performance mode is off on host ",
                     options_.context.host_id(), " (--no-perf-mode)"));
  }
  ABSL_ASSIGN_OR_RETURN(std::vector<HostCpu> cpus,
                        ReadHostCpus(AllowedHostCpus()));
  ABSL_ASSIGN_OR_RETURN(PerformanceSpec plan, PlanPerformance(topology, cpus));
  return plan;
}

absl::StatusOr<WatchResult> LeaseRunner::RunMachine(
    const ktstr::v1::Attempt& attempt, AttemptControl* control) const {
  const ktstr::v1::VariantSpec& variant = attempt.variant();
  ABSL_RETURN_IF_ERROR(CheckAttempt(attempt));
  ABSL_ASSIGN_OR_RETURN(Topology topology, Topology::Parse(variant.topology()));
  ABSL_ASSIGN_OR_RETURN(MachineDetails details,
                        ReadMachineLayout(variant, topology));
  auto hardware = Hardware(variant, topology);
  if (absl::IsFailedPrecondition(hardware.status())) {
    WatchResult skipped;
    skipped.evidence.unmet_precondition =
        std::string(hardware.status().message());
    return skipped;
  }
  ABSL_RETURN_IF_ERROR(hardware.status());
  ABSL_ASSIGN_OR_RETURN(HeldArtifact kernel,
                        FetchArtifact(variant.kernel().image(), cache_));
  ABSL_ASSIGN_OR_RETURN(std::vector<GuestImageFile> files,
                        FetchGuestFiles(variant, cache_));
  ABSL_ASSIGN_OR_RETURN(std::vector<UniqueFd> initrds, pack_(files));
  if (control->reason() != StopReason::kNone) {
    return absl::CancelledError("stopped before the machine was started");
  }
  WatchLimits limits = WatchLimits::From(attempt.budget(),
                                         FromProtoDuration(variant.duration()));
  const auto& kargs = variant.scheduler().setup().kargs();
  std::optional<WatchdogOverride> watchdog;
  if (variant.scheduler().setup().has_watchdog_timeout()) {
    watchdog.emplace(
        FromProtoDuration(variant.scheduler().setup().watchdog_timeout()),
        variant.kernel().hz(), WatchdogVariables::Find(kernel.path()));
  }
  ABSL_ASSIGN_OR_RETURN(
      StartedGuest guest,
      StartedGuest::Start(options_.boot, *run_dir_,
                          {.epoch = attempt.key().epoch(),
                           .topology = topology,
                           .details = std::move(details),
                           .memory_mib = variant.memory_mib(),
                           .performance = *std::move(hardware),
                           .kargs = {kargs.begin(), kargs.end()},
                           .shares_memory = watchdog.has_value(),
                           // guestd sends the whole log anyway. When that
                           // failed, the next attempt is verbose.
                           .is_verbose = attempt.key().epoch() != 1,
                           .deadline = limits.total + kVmmDeadlineSlack,
                           .kernel = &kernel,
                           .initrds = &initrds}));
  MachineWatch watch({.limits = limits,
                      .clock = options_.boot.clock,
                      .vsock_path = guest.vsock_path(),
                      .request = MakeRequest(attempt, topology.cpus()),
                      .watchdog = watchdog ? &*watchdog : nullptr,
                      .started = guest.started()},
                     &guest.vmm(), &guest.hello(), control);
  WatchResult result = watch.Run();
  if (watchdog) result.watchdog = watchdog->report();
  return result;
}

}  // namespace ktstr::hostd
