// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "base/status_macros.h"
#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {
namespace {

constexpr uint64_t kIoSleepNs = 100'000;

// A sequence under way. False from a phase: stop came.
class SequenceRun {
 public:
  SequenceRun(StopFlag stop, Telemetry& telemetry)
      : stop_(stop), telemetry_(telemetry), file_("Sequence") {}

  absl::StatusOr<bool> All(const std::vector<Phase>& phases) {
    for (const Phase& phase : phases) {
      ABSL_ASSIGN_OR_RETURN(bool goes_on, One(phase));
      if (!goes_on) return false;
    }
    return true;
  }

 private:
  absl::StatusOr<bool> One(const Phase& phase) {
    switch (phase.kind) {
      case Phase::Kind::kLoop:
        return Loop(phase);
      case Phase::Kind::kSleep:
        Pause(phase.time.count());
        return !stop_.is_set();
      case Phase::Kind::kTimer:
        Timer(phase);
        return !stop_.is_set();
      default:
        return Repeat(phase);
    }
  }

  absl::StatusOr<bool> Loop(const Phase& loop) {
    for (uint32_t i = 0; i < loop.count; ++i) {
      ABSL_ASSIGN_OR_RETURN(bool goes_on, All(loop.phases));
      if (!goes_on) return false;
    }
    return true;
  }

  void Pause(uint64_t ns) {
    Sleep(ns, stop_, telemetry_);
    telemetry_.Progress(0);
  }

  void Timer(const Phase& phase) {
    const uint64_t now = telemetry_.NowNs();
    uint64_t& next = timers_.try_emplace(phase.id, now).first->second;
    next += phase.time.count();
    if (next > now) {
      Pause(next - now);
    } else {
      next = now;
    }
  }

  // Until the phase's time is over: on the clock, or on the CPU.
  absl::StatusOr<bool> Repeat(const Phase& phase) {
    const bool is_cpu_time = phase.kind == Phase::Kind::kRun;
    auto clock = [&] {
      return is_cpu_time ? ThreadCpuNs() : telemetry_.NowNs();
    };
    const uint64_t end = clock() + phase.time.count();
    do {
      ABSL_ASSIGN_OR_RETURN(uint64_t units, RepeatOnce(phase.kind));
      telemetry_.Progress(units);
    } while (!stop_.is_set() && clock() < end);
    return !stop_.is_set();
  }

  // Returns the units of work.
  absl::StatusOr<uint64_t> RepeatOnce(Phase::Kind kind) {
    switch (kind) {
      case Phase::Kind::kYield:
        Spin(1);
        SampledYield(telemetry_);
        return 1;
      case Phase::Kind::kIo:
        ABSL_RETURN_IF_ERROR(file_.Rewrite());
        Sleep(kIoSleepNs, stop_, telemetry_);
        return ScratchFile::kBlocks;
      default:
        Spin(kSpinsPerIteration);
        return kSpinsPerIteration;
    }
  }

  const StopFlag stop_;
  Telemetry& telemetry_;
  ScratchFile file_;
  std::map<uint32_t, uint64_t> timers_;  // id -> when it is due
};

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
  SequenceRun run(stop, telemetry);
  for (;;) {
    ABSL_ASSIGN_OR_RETURN(bool goes_on, run.All(phases));
    if (!goes_on) return absl::OkStatus();
    telemetry.EndIteration(0);
  }
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
