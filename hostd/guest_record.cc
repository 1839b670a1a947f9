// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/guest_record.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ktstr::hostd {
namespace {

using ktstr::v1::GuestEvent;

bool IsGuestPhase(ktstr::v1::Phase phase) {
  return phase == ktstr::v1::SCHEDULER_ATTACHED ||
         phase == ktstr::v1::WORKLOAD_STARTED ||
         phase == ktstr::v1::WORKLOAD_ENDED || phase == ktstr::v1::DETACHED;
}

// Cuts on a byte that starts a character: the text stays valid UTF-8.
void Bound(std::string* text) {
  if (text->size() <= GuestRecord::kMaxText) return;
  size_t end = GuestRecord::kMaxText;
  while (end > 0 && (static_cast<unsigned char>((*text)[end]) & 0xc0) == 0x80) {
    --end;
  }
  text->resize(end);
}

void Bound(ktstr::v1::Finding* finding) {
  Bound(finding->mutable_message());
  Bound(finding->mutable_cgroup());
}

template <typename List>
void Shorten(List* list, int max = GuestRecord::kMaxListed) {
  while (list->size() > max) list->RemoveLast();
}

ktstr::v1::Verdict Bounded(ktstr::v1::Verdict verdict) {
  Shorten(verdict.mutable_findings());
  Shorten(verdict.mutable_groups());
  Shorten(verdict.mutable_measurements(), GuestRecord::kMaxMeasurements);
  for (auto& measurement : *verdict.mutable_measurements()) {
    Bound(measurement.mutable_name());
    Bound(measurement.mutable_unit());
    // What no honest test sends, and no JSON can hold.
    if (!std::isfinite(measurement.value())) measurement.set_value(0);
    if (!std::isfinite(measurement.target())) measurement.set_target(0);
  }
  Bound(verdict.mutable_skip_reason());
  for (auto& finding : *verdict.mutable_findings()) Bound(&finding);
  for (auto& group : *verdict.mutable_groups()) {
    Bound(group.mutable_cgroup());
    Bound(group.mutable_work());
  }
  return verdict;
}

void Bound(ktstr::v1::SchedulerExit* exit) {
  Bound(exit->mutable_ops());
  Bound(exit->mutable_reason());
  Bound(exit->mutable_message());
  Shorten(exit->mutable_backtrace(), GuestRecord::kMaxFrames);
  for (std::string& frame : *exit->mutable_backtrace()) Bound(&frame);
  if (exit->has_stalled_task()) {
    Bound(exit->mutable_stalled_task()->mutable_comm());
  }
}

// `report` in the place of `before`, of which the marks stay.
ktstr::v1::SchedulerReport Bounded(
    ktstr::v1::SchedulerReport report,
    const std::optional<ktstr::v1::SchedulerReport>& before) {
  Bound(report.mutable_attached_ops());
  Shorten(report.mutable_args());
  for (std::string& arg : *report.mutable_args()) Bound(&arg);
  if (report.has_exit()) Bound(report.mutable_exit());
  if (before && before->died()) report.set_died(true);
  if (before && before->detached_early()) report.set_detached_early(true);
  return report;
}

// Whether its end is a judgement of the scheduler.
bool IsInTrouble(const ktstr::v1::SchedulerReport& report) {
  switch (report.exit().kind()) {
    case ktstr::v1::EXIT_ERROR:
    case ktstr::v1::EXIT_ERROR_BPF:
    case ktstr::v1::EXIT_ERROR_STALL:
    case ktstr::v1::EXIT_UNREGISTERED_BY_KERNEL:
    case ktstr::v1::EXIT_SYSRQ:
      return true;
    default:
      return report.died() || report.detached_early();
  }
}

// Logs together have the room of one. The last program goes first: it is the
// one that was refused.
ktstr::v1::BpfPrograms Bounded(ktstr::v1::BpfPrograms loaded) {
  Shorten(loaded.mutable_programs());
  Bound(loaded.mutable_missing());
  size_t log_bytes_left = GuestRecord::kLogBytes;
  for (int i = loaded.programs_size() - 1; i >= 0; --i) {
    ktstr::v1::BpfProgram& program = *loaded.mutable_programs(i);
    Bound(program.mutable_name());
    Bound(program.mutable_type());
    Shorten(program.mutable_stack_depths());
    const size_t size = program.log().size();
    const size_t surplus = size - std::min(size, log_bytes_left);
    program.mutable_log()->erase(0, surplus);
    program.set_log_bytes_dropped(program.log_bytes_dropped() +
                                  static_cast<int64_t>(surplus));
    log_bytes_left -= size - surplus;
  }
  return loaded;
}

}  // namespace

void GuestRecord::ApplyScheduler(const ktstr::v1::SchedulerReport& report) {
  auto known = scheduler_runs.find(report.run());
  std::optional<ktstr::v1::SchedulerReport> before;
  if (known != scheduler_runs.end()) {
    before = known->second;
  } else if (scheduler_runs.size() == kMaxRuns) {
    return;
  }
  ktstr::v1::SchedulerReport bounded = Bounded(report, before);
  const bool is_later = scheduler && scheduler->run() != report.run();
  if (!is_later || !IsInTrouble(*scheduler)) scheduler = bounded;
  scheduler_runs[report.run()] = std::move(bounded);
}

void GuestRecord::Apply(const GuestEvent& event, absl::Duration at) {
  switch (event.event_case()) {
    case GuestEvent::kPhase: {
      bool is_known = std::any_of(
          phases.begin(), phases.end(),
          [&](const auto& seen) { return seen.first == event.phase(); });
      if (IsGuestPhase(event.phase()) && !is_known) {
        phases.emplace_back(event.phase(), at);
      }
      break;
    }
    case GuestEvent::kStimulus:
      if (stimuli.size() < kMaxStimuli) {
        Bound(stimuli.emplace_back(event.stimulus()).mutable_label());
      }
      break;
    case GuestEvent::kTestLog:
      test_log.Append(event.test_log());
      break;
    case GuestEvent::kSchedulerLog:
      scheduler_log.Append(event.scheduler_log());
      break;
    case GuestEvent::kKernelLog:
      kernel_log.Append(event.kernel_log());
      break;
    case GuestEvent::kSchedExtDump:
      sched_ext_dump.append(event.sched_ext_dump(), 0,
                            kDumpBytes - sched_ext_dump.size());
      break;
    case GuestEvent::kVerdict:
      if (!verdict) verdict = Bounded(event.verdict());
      break;
    case GuestEvent::kTestExit:
      if (!test_exit) test_exit = event.test_exit();
      break;
    case GuestEvent::kScheduler:
      ApplyScheduler(event.scheduler());
      break;
    case GuestEvent::kBpfPrograms:
      if (!bpf_programs) bpf_programs = Bounded(event.bpf_programs());
      break;
    case GuestEvent::kFailure:
      if (!failure) {
        failure = event.failure();
        Bound(&*failure);
      }
      break;
    case GuestEvent::kFinished:
      is_finished = true;
      break;
    case GuestEvent::kHeartbeat:
    case GuestEvent::EVENT_NOT_SET:
      break;
  }
}

}  // namespace ktstr::hostd
