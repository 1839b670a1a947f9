// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/work_loops.h"

#include <sched.h>

#include <variant>
#include <vector>

#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {

bool IsMessenger(const WorkType& type, const WorkerSeat& seat) {
  return seat.place == 0 && (type.kind == WorkType::Kind::kFutexFanOut ||
                             type.kind == WorkType::Kind::kFanOutCompute);
}

absl::Status RunWorkLoop(const WorkType& type, const WorkerSeat& seat,
                         StopFlag stop, Telemetry& telemetry) {
  using Kind = WorkType::Kind;
  const auto& p = type.params;
  switch (type.kind) {
    case Kind::kCpuSpin:
      SpinLoop(stop, telemetry);
      return absl::OkStatus();
    case Kind::kYieldHeavy:
      YieldLoop(1, stop, telemetry);
      return absl::OkStatus();
    case Kind::kMixed:
      YieldLoop(kSpinsPerIteration, stop, telemetry);
      return absl::OkStatus();
    case Kind::kBursty:
      BurstyLoop(std::get<BurstyParams>(p), stop, telemetry);
      return absl::OkStatus();
    case Kind::kPipeIo:
      PipeIoLoop(std::get<PipeIoParams>(p), seat, stop, telemetry);
      return absl::OkStatus();
    case Kind::kFutexPingPong:
      FutexPingPongLoop(std::get<FutexPingPongParams>(p), seat, stop,
                        telemetry);
      return absl::OkStatus();
    case Kind::kFutexFanOut:
      FutexFanOutLoop(std::get<FutexFanOutParams>(p), seat, stop, telemetry);
      return absl::OkStatus();
    case Kind::kFanOutCompute:
      FanOutComputeLoop(std::get<FanOutComputeParams>(p), seat, stop,
                        telemetry);
      return absl::OkStatus();
    case Kind::kMutexContention:
      MutexContentionLoop(std::get<MutexContentionParams>(p), seat, stop,
                          telemetry);
      return absl::OkStatus();
    case Kind::kIoSync:
      return IoSyncLoop(stop, telemetry);
    case Kind::kForkExit:
      return ForkExitLoop(stop, telemetry);
    case Kind::kSequence:
      return SequenceLoop(std::get<std::vector<Phase>>(p), stop, telemetry);
    case Kind::kCachePressure:
      return CachePressureLoop(std::get<CacheParams>(p), stop, telemetry);
    case Kind::kCacheYield:
      return CacheYieldLoop(std::get<CacheParams>(p), stop, telemetry);
    case Kind::kCachePipe:
      return CachePipeLoop(std::get<CachePipeParams>(p), seat, stop, telemetry);
    case Kind::kPageFaultChurn:
      return PageFaultChurnLoop(std::get<PageFaultChurnParams>(p), seat, stop,
                                telemetry);
    case Kind::kNiceSweep:
      return NiceSweepLoop(stop, telemetry);
    case Kind::kAffinityChurn:
      return AffinityChurnLoop(std::get<AffinityChurnParams>(p), seat, stop,
                               telemetry);
    case Kind::kPolicyChurn:
      return PolicyChurnLoop(std::get<PolicyChurnParams>(p), stop, telemetry);
    case Kind::kTimerStorm:
      return TimerStormLoop(std::get<TimerStormParams>(p), stop, telemetry);
    case Kind::kSocketPingPong:
      return SocketPingPongLoop(std::get<SocketPingPongParams>(p), seat, stop,
                                telemetry);
    case Kind::kWorkqueuePressure:
      return WorkqueuePressureLoop(std::get<WorkqueuePressureParams>(p), stop,
                                   telemetry);
    case Kind::kRcuPressure:
      return RcuPressureLoop(stop, telemetry);
    case Kind::kCustom:
      return absl::InternalError("a custom body has no loop here");
  }
  return absl::InternalError("unknown work type");
}

}  // namespace ktstr::internal
