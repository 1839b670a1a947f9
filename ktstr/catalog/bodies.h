// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What the catalogue's table refers to: scenarios that data cannot say. Each is
// described by its row (table.h), and starts where the row's needs are met.
#ifndef KTSTR_KTSTR_CATALOG_BODIES_H_
#define KTSTR_KTSTR_CATALOG_BODIES_H_

#include "absl/status/statusor.h"
#include "ktstr/checks.h"
#include "ktstr/context.h"
#include "ktstr/verdict.h"

namespace ktstr::catalog {

#define KTSTR_BODY_(name) \
  absl::StatusOr<Verdict> name(const Context& ctx, const Checks& checks)

// bodies_curated.cc
KTSTR_BODY_(Steady);
KTSTR_BODY_(SteadyLlc);
KTSTR_BODY_(CpusetApply);
KTSTR_BODY_(CpusetClear);
KTSTR_BODY_(CpusetResize);
KTSTR_BODY_(CgroupAdd);
KTSTR_BODY_(CgroupRemove);
KTSTR_BODY_(AffinityChange);
KTSTR_BODY_(AffinityPinned);
KTSTR_BODY_(Oversubscribed);
KTSTR_BODY_(HostContention);
KTSTR_BODY_(MixedWorkloads);
KTSTR_BODY_(NestedSteady);
KTSTR_BODY_(NestedTaskMove);

// bodies_cgroups.cc: cpusets, classes, cgroups that come and go
KTSTR_BODY_(NumaSwap);
KTSTR_BODY_(SwapDisjoint);
KTSTR_BODY_(SchedMixed);
KTSTR_BODY_(PipeIo);
KTSTR_BODY_(RapidChurn);
KTSTR_BODY_(NestedRapidChurn);
KTSTR_BODY_(NestedCpuset);
KTSTR_BODY_(ExhaustReuse);
KTSTR_BODY_(CpusetAddRemove);

// bodies_stress.cc
KTSTR_BODY_(PerCpu);
KTSTR_BODY_(DsqContention);
KTSTR_BODY_(CpusetVariety);
KTSTR_BODY_(DynamicVariety);
KTSTR_BODY_(CrossLlcRace);

// bodies_imbalance.cc
KTSTR_BODY_(ChangeImbalance);
KTSTR_BODY_(LoadShift);
KTSTR_BODY_(AddLoad);
KTSTR_BODY_(LoadOscillation);
KTSTR_BODY_(TaskMigration);
KTSTR_BODY_(NestedApart);
KTSTR_BODY_(MobileImbalance);
KTSTR_BODY_(CpusetSwapHalfway);
KTSTR_BODY_(AddDuringImbalance);
KTSTR_BODY_(NestedImbalance);

#undef KTSTR_BODY_

}  // namespace ktstr::catalog

#endif  // KTSTR_KTSTR_CATALOG_BODIES_H_
