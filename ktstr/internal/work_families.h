// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// The loops of all work types, by family; RunWorkLoop() chooses. Contract:
// work_loops.h. Units and samples: docs/work-types.md.
#ifndef KTSTR_KTSTR_INTERNAL_WORK_FAMILIES_H_
#define KTSTR_KTSTR_INTERNAL_WORK_FAMILIES_H_

#include <vector>

#include "absl/status/status.h"
#include "ktstr/internal/telemetry.h"
#include "ktstr/internal/work_loops.h"
#include "ktstr/work_type.h"

namespace ktstr::internal {

// work_alone.cc: nobody to wait for.
void SpinLoop(StopFlag stop, Telemetry& telemetry);
void YieldLoop(uint32_t spins, StopFlag stop, Telemetry& telemetry);
void BurstyLoop(const BurstyParams& params, StopFlag stop,
                Telemetry& telemetry);
absl::Status IoSyncLoop(StopFlag stop, Telemetry& telemetry);
absl::Status SequenceLoop(const std::vector<Phase>& phases, StopFlag stop,
                          Telemetry& telemetry);
absl::Status ForkExitLoop(StopFlag stop, Telemetry& telemetry);

// work_kernel.cc: timers, and threads of the kernel.
absl::Status TimerStormLoop(const TimerStormParams& params, StopFlag stop,
                            Telemetry& telemetry);
absl::Status WorkqueuePressureLoop(const WorkqueuePressureParams& params,
                                   StopFlag stop, Telemetry& telemetry);
absl::Status RcuPressureLoop(StopFlag stop, Telemetry& telemetry);

// work_memory.cc: what is touched matters.
absl::Status CachePressureLoop(const CacheParams& params, StopFlag stop,
                               Telemetry& telemetry);
absl::Status CacheYieldLoop(const CacheParams& params, StopFlag stop,
                            Telemetry& telemetry);
absl::Status CachePipeLoop(const CachePipeParams& params,
                           const WorkerSeat& seat, StopFlag stop,
                           Telemetry& telemetry);
absl::Status PageFaultChurnLoop(const PageFaultChurnParams& params,
                                const WorkerSeat& seat, StopFlag stop,
                                Telemetry& telemetry);

// work_together.cc: groups that wake each other.
void PipeIoLoop(const PipeIoParams& params, const WorkerSeat& seat,
                StopFlag stop, Telemetry& telemetry);
absl::Status SocketPingPongLoop(const SocketPingPongParams& params,
                                const WorkerSeat& seat, StopFlag stop,
                                Telemetry& telemetry);
void FutexPingPongLoop(const FutexPingPongParams& params,
                       const WorkerSeat& seat, StopFlag stop,
                       Telemetry& telemetry);
void FutexFanOutLoop(const FutexFanOutParams& params, const WorkerSeat& seat,
                     StopFlag stop, Telemetry& telemetry);
void FanOutComputeLoop(const FanOutComputeParams& params,
                       const WorkerSeat& seat, StopFlag stop,
                       Telemetry& telemetry);
void MutexContentionLoop(const MutexContentionParams& params,
                         const WorkerSeat& seat, StopFlag stop,
                         Telemetry& telemetry);

// work_churn.cc: the worker changes its own scheduling.
absl::Status NiceSweepLoop(StopFlag stop, Telemetry& telemetry);
absl::Status AffinityChurnLoop(const AffinityChurnParams& params,
                               const WorkerSeat& seat, StopFlag stop,
                               Telemetry& telemetry);
absl::Status PolicyChurnLoop(const PolicyChurnParams& params, StopFlag stop,
                             Telemetry& telemetry);

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_WORK_FAMILIES_H_
