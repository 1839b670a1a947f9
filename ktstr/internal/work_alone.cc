// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {
namespace {

constexpr uint64_t kIoSleepNs = 100'000;

// One repetition of a phase that is not Sleep; returns its units.
absl::StatusOr<uint64_t> RepeatPhase(Phase::Kind kind, ScratchFile& file,
                                     StopFlag stop, Telemetry& telemetry) {
  switch (kind) {
    case Phase::Kind::kSpin:
      Spin(kSpinsPerIteration);
      return kSpinsPerIteration;
    case Phase::Kind::kYield:
      Spin(1);
      SampledYield(telemetry);
      return 1;
    case Phase::Kind::kIo:
      ABSL_RETURN_IF_ERROR(file.Rewrite());
      Sleep(kIoSleepNs, stop, telemetry);
      return ScratchFile::kBlocks;
    case Phase::Kind::kSleep:
      break;
  }
  return absl::InternalError("unknown phase");
}

absl::Status RunPhase(const Phase& phase, ScratchFile& file, StopFlag stop,
                      Telemetry& telemetry) {
  if (phase.kind == Phase::Kind::kSleep) {
    Sleep(phase.time.count(), stop, telemetry);
    telemetry.Progress(0);
    return absl::OkStatus();
  }
  const uint64_t end = telemetry.NowNs() + phase.time.count();
  do {
    ABSL_ASSIGN_OR_RETURN(uint64_t units,
                          RepeatPhase(phase.kind, file, stop, telemetry));
    telemetry.Progress(units);
  } while (!stop.is_set() && telemetry.NowNs() < end);
  return absl::OkStatus();
}

}  // namespace

void SpinLoop(StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    Spin(kSpinsPerIteration);
    telemetry.EndIteration(kSpinsPerIteration);
  }
}

void YieldLoop(uint32_t spins, StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    Spin(spins);
    sched_yield();
    telemetry.EndIteration(spins);
  }
}

void BurstyLoop(const BurstyParams& params, StopFlag stop,
                Telemetry& telemetry) {
  while (!stop.is_set()) {
    uint64_t end = telemetry.NowNs() + params.burst.count();
    do {
      Spin(kSpinsPerIteration);
      telemetry.EndIteration(kSpinsPerIteration);
    } while (!stop.is_set() && telemetry.NowNs() < end);
    if (stop.is_set()) return;
    Sleep(params.sleep.count(), stop, telemetry);
  }
}

absl::Status IoSyncLoop(StopFlag stop, Telemetry& telemetry) {
  ScratchFile file("IoSync");
  while (!stop.is_set()) {
    ABSL_RETURN_IF_ERROR(file.Rewrite());
    Sleep(kIoSleepNs, stop, telemetry);
    telemetry.EndIteration(ScratchFile::kBlocks);
  }
  return absl::OkStatus();
}

absl::Status SequenceLoop(const std::vector<Phase>& phases, StopFlag stop,
                          Telemetry& telemetry) {
  ScratchFile file("Sequence");
  while (!stop.is_set()) {
    for (const Phase& phase : phases) {
      ABSL_RETURN_IF_ERROR(RunPhase(phase, file, stop, telemetry));
      if (stop.is_set()) return absl::OkStatus();
    }
    telemetry.EndIteration(0);
  }
  return absl::OkStatus();
}

absl::Status ForkExitLoop(StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    uint64_t begin = telemetry.NowNs();
    pid_t child = fork();
    if (child < 0) return absl::ErrnoToStatus(errno, "ForkExit: fork");
    if (child == 0) _exit(0);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    telemetry.Woke(telemetry.NowNs() - begin);
    telemetry.EndIteration(1);
  }
  return absl::OkStatus();
}

}  // namespace ktstr::internal
