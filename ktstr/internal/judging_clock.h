// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_JUDGING_CLOCK_H_
#define KTSTR_KTSTR_INTERNAL_JUDGING_CLOCK_H_

#include <cstdint>

#include "ktstr/checks.h"
#include "ktstr/worker_report.h"

namespace ktstr::internal {

// The time that a profile judges workers by: of the wall, or what the host left
// the guest of it. Formulas in docs/checks.md.

// Off-CPU time the judging clock counts: all but the frozen time, or less what
// the host took as well.
uint64_t JudgedOffCpuNs(const WorkerReport& report,
                        const JudgingProfile& profile);

// The time that clock counts: the wall time less what JudgedOffCpuNs leaves
// out.
uint64_t CountedNs(const WorkerReport& report, const JudgingProfile& profile);

// Off-CPU time in percent of the counted time, [0, 100]: a host that takes most
// of the time away must not make differences look small. 0 where none is left.
double JudgedOffCpuPct(const WorkerReport& report,
                       const JudgingProfile& profile);

// By how much counted time two workers of a group may differ beside the limit
// of their spread; 0 where nothing is subtracted. `cpus` are those that the
// group was seen on.
uint64_t SpreadSlackNs(const JudgingProfile& profile, int cpus);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_JUDGING_CLOCK_H_
