// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_PERFORMANCE_PLAN_H_
#define KTSTR_HOSTD_PERFORMANCE_PLAN_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/host_cpus.h"
#include "model/performance_spec.h"
#include "model/topology.h"

namespace ktstr::hostd {

// Gives a guest hardware shaped like what it was told it has: every guest LLC a
// host LLC of its own, every guest core a host core of its own, its threads on
// that core's threads (siblings stay siblings), and one more host core for the
// threads that serve the guest. Guest NUMA nodes get host nodes of their own
// where there are as many; else memory comes from wherever the kernel takes it.
//
// Shape:  pure; `host` as ReadHostCpus gives it. Spare threads of a used core
//         and spare cores of a used LLC stay empty, except that the serving
//         core may lie in a used LLC.
// Errors: FailedPrecondition saying what is needed and what the host has.
absl::StatusOr<PerformanceSpec> PlanPerformance(const Topology& topology,
                                                absl::Span<const HostCpu> host);

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_PERFORMANCE_PLAN_H_
