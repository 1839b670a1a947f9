// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_THREAD_REPORTS_H_
#define KTSTR_KTSTR_INTERNAL_THREAD_REPORTS_H_

#include <cstdint>
#include <vector>

#include "ktstr/worker_report.h"

namespace ktstr::internal {

// One report of a worker with several threads. Counts and times are sums over
// the threads, wall time as well, so that rates and percentages are those of a
// mean thread. The longest gap comes with its CPU and offset; lists are joined;
// latencies are sampled by how many each thread had; pages are the process's
// and counted once. REQUIRES: at least one report.
WorkerReport MergeThreadReports(std::vector<WorkerReport> reports,
                                uint64_t seed);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_THREAD_REPORTS_H_
