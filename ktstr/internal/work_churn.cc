// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "ktstr/internal/affinity.h"
#include "ktstr/internal/seed.h"
#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {
namespace {

constexpr uint32_t kNiceSpins = 512;
constexpr int kLowestNice = -20;
constexpr int kHighestNice = 19;

int SetPolicy(int policy) {
  sched_param param{};
  param.sched_priority = policy == SCHED_FIFO || policy == SCHED_RR ? 1 : 0;
  return sched_setscheduler(0, policy, &param);
}

// What this process may switch between. Leaving IDLE takes the same right as
// the real-time policies.
std::vector<int> PermittedPolicies() {
  if (SetPolicy(SCHED_FIFO) != 0) return {SCHED_OTHER, SCHED_BATCH};
  SetPolicy(SCHED_OTHER);
  return {SCHED_OTHER, SCHED_BATCH, SCHED_IDLE, SCHED_FIFO, SCHED_RR};
}

}  // namespace

absl::Status NiceSweepLoop(StopFlag stop, Telemetry& telemetry) {
  const bool may_lower = setpriority(PRIO_PROCESS, 0, kLowestNice) == 0;
  const int lowest = may_lower ? kLowestNice : 0;
  for (int nice = lowest; !stop.is_set();) {
    Spin(kNiceSpins);
    if (setpriority(PRIO_PROCESS, 0, nice) != 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("NiceSweep: nice ", nice));
    }
    if (nice < kHighestNice) {
      ++nice;
    } else if (may_lower) {
      nice = lowest;
    }
    SampledYield(telemetry);
    telemetry.EndIteration(kNiceSpins);
  }
  if (may_lower) setpriority(PRIO_PROCESS, 0, 0);
  return absl::OkStatus();
}

absl::Status AffinityChurnLoop(const AffinityChurnParams& params,
                               const WorkerSeat& seat, StopFlag stop,
                               Telemetry& telemetry) {
  const std::vector<int> cpus = GetAffinity();
  if (cpus.empty()) {
    return absl::ErrnoToStatus(errno, "AffinityChurn: read own affinity");
  }
  SeededStream random(seat.seed);
  while (!stop.is_set()) {
    Spin(params.spin_iters);
    int cpu = cpus[random.Below(cpus.size())];
    // The cpuset may have lost this CPU meanwhile: then it stays where it is.
    if (!SetAffinity(0, {cpu}) && errno != EINVAL) {
      return absl::ErrnoToStatus(errno,
                                 absl::StrCat("AffinityChurn: pin to ", cpu));
    }
    SampledYield(telemetry);
    telemetry.EndIteration(params.spin_iters);
  }
  return absl::OkStatus();
}

absl::Status PolicyChurnLoop(const PolicyChurnParams& params, StopFlag stop,
                             Telemetry& telemetry) {
  const std::vector<int> policies = PermittedPolicies();
  for (size_t i = 0; !stop.is_set(); ++i) {
    Spin(params.spin_iters);
    int policy = policies[i % policies.size()];
    if (SetPolicy(policy) != 0) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("PolicyChurn: policy number ", policy));
    }
    SampledYield(telemetry);
    telemetry.EndIteration(params.spin_iters);
  }
  SetPolicy(SCHED_OTHER);
  return absl::OkStatus();
}

}  // namespace ktstr::internal
