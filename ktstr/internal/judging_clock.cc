// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/judging_clock.h"

#include <algorithm>

namespace ktstr::internal {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

}  // namespace

uint64_t JudgedOffCpuNs(const WorkerReport& report,
                        const JudgingProfile& profile) {
  const uint64_t off_cpu =
      report.off_cpu_ns - std::min(report.frozen_ns, report.off_cpu_ns);
  if (!profile.subtracts_stolen_time || report.wall_time_ns == 0) {
    return off_cpu;
  }
  // Off-CPU time is blocking, waiting in a run queue, or the host having taken
  // the CPU. The last shows up as what the first two leave over; and the same
  // share of the time in the queue was spent behind tasks that were stolen.
  uint64_t explained = report.blocked_ns + report.schedstat_run_delay_ns;
  uint64_t unexplained = off_cpu > explained ? off_cpu - explained : 0;
  double share = std::min(1.0, static_cast<double>(report.stolen_ns) /
                                   static_cast<double>(report.wall_time_ns));
  uint64_t stolen =
      std::min(unexplained, report.stolen_ns) +
      static_cast<uint64_t>(static_cast<double>(report.schedstat_run_delay_ns) *
                            share);
  return off_cpu - std::min(stolen, off_cpu);
}

uint64_t CountedNs(const WorkerReport& report, const JudgingProfile& profile) {
  const uint64_t left_out = report.off_cpu_ns - JudgedOffCpuNs(report, profile);
  return report.wall_time_ns - std::min(left_out, report.wall_time_ns);
}

double JudgedOffCpuPct(const WorkerReport& report,
                       const JudgingProfile& profile) {
  const uint64_t counted = CountedNs(report, profile);
  if (counted == 0) return 0;
  return 100.0 * static_cast<double>(JudgedOffCpuNs(report, profile)) /
         static_cast<double>(counted);
}

uint64_t SpreadSlackNs(const JudgingProfile& profile, int cpus) {
  return kNsPerMs *
         (profile.slice_slack_ms + (cpus > 1 ? profile.balance_slack_ms : 0));
}

}  // namespace ktstr::internal
