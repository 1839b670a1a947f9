// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/work_type.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ktstr {
namespace {

using Kind = WorkType::Kind;

constexpr uint32_t kMaxIters = 1'000'000'000;
constexpr uint32_t kMaxFanOut = 4095;
constexpr uint32_t kMaxKb = 1 << 24;  // 16 GiB
constexpr uint32_t kMaxStride = 1 << 20;
constexpr uint32_t kMaxPhases = 1024;
constexpr int kMaxLoopDepth = 8;
constexpr uint32_t kMaxTimers = 1024;
constexpr std::chrono::nanoseconds kMinPeriod = std::chrono::microseconds(1);
constexpr std::chrono::nanoseconds kMaxTime = std::chrono::hours(1);

// Every type that can be had by name.
struct Named {
  const char* name;
  WorkType (*make)();
};
constexpr Named kNamed[] = {
    {"CpuSpin", [] { return WorkType::cpu_spin(); }},
    {"YieldHeavy", [] { return WorkType::yield_heavy(); }},
    {"Mixed", [] { return WorkType::mixed(); }},
    {"IoSync", [] { return WorkType::io_sync(); }},
    {"Bursty", [] { return WorkType::bursty(); }},
    {"PipeIo", [] { return WorkType::pipe_io(); }},
    {"FutexPingPong", [] { return WorkType::futex_ping_pong(); }},
    {"CachePressure", [] { return WorkType::cache_pressure(); }},
    {"CacheYield", [] { return WorkType::cache_yield(); }},
    {"CachePipe", [] { return WorkType::cache_pipe(); }},
    {"FutexFanOut", [] { return WorkType::futex_fan_out(); }},
    {"FanOutCompute", [] { return WorkType::fan_out_compute(); }},
    {"ForkExit", [] { return WorkType::fork_exit(); }},
    {"NiceSweep", [] { return WorkType::nice_sweep(); }},
    {"AffinityChurn", [] { return WorkType::affinity_churn(); }},
    {"PolicyChurn", [] { return WorkType::policy_churn(); }},
    {"PageFaultChurn", [] { return WorkType::page_fault_churn(); }},
    {"MutexContention", [] { return WorkType::mutex_contention(); }},
    {"TimerStorm", [] { return WorkType::timer_storm(); }},
    {"SocketPingPong", [] { return WorkType::socket_ping_pong(); }},
    {"WorkqueuePressure", [] { return WorkType::workqueue_pressure(); }},
    {"RcuPressure", [] { return WorkType::rcu_pressure(); }},
};
constexpr const char* kSequenceName = "Sequence";
constexpr const char* kCustomName = "Custom";

template <typename Params>
WorkType Make(Kind kind, Params params) {
  WorkType type;
  type.kind = kind;
  type.params = std::move(params);
  return type;
}

WorkType Make(Kind kind) { return Make(kind, std::monostate()); }

// Checks the parameters of one type; the first complaint wins.
class Checker {
 public:
  explicit Checker(std::string type) : type_(std::move(type)) {}

  Checker& Number(absl::string_view field, uint64_t value, uint64_t low,
                  uint64_t high) {
    if (value < low || value > high) {
      Complain(absl::StrCat(field, " is ", low, " to ", high, ", not ", value));
    }
    return *this;
  }
  Checker& Iters(absl::string_view field, uint32_t value) {
    return Number(field, value, 1, kMaxIters);
  }
  Checker& Time(absl::string_view field, std::chrono::nanoseconds value) {
    if (value.count() <= 0 || value > kMaxTime) {
      Complain(absl::StrCat(field, " is above 0 and at most an hour, not ",
                            value.count(), " ns"));
    }
    return *this;
  }
  absl::Status status() const { return status_; }

 private:
  void Complain(std::string what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat(type_, ": ", what));
  }

  std::string type_;
  absl::Status status_;
};

// One for each alternative of WorkType::params.
void Check(const std::monostate&, Checker&) {}
void Check(const BurstyParams& p, Checker& c) {
  c.Time("burst", p.burst).Time("sleep", p.sleep);
}
void Check(const PipeIoParams& p, Checker& c) {
  c.Iters("burst_iters", p.burst_iters);
}
void Check(const FutexPingPongParams& p, Checker& c) {
  c.Iters("spin_iters", p.spin_iters);
}
void Check(const CacheParams& p, Checker& c) {
  c.Number("size_kb", p.size_kb, 1, kMaxKb)
      .Number("stride", p.stride, 1, kMaxStride);
}
void Check(const CachePipeParams& p, Checker& c) {
  c.Number("size_kb", p.size_kb, 1, kMaxKb).Iters("burst_iters", p.burst_iters);
}
void Check(const FutexFanOutParams& p, Checker& c) {
  c.Number("fan_out", p.fan_out, 1, kMaxFanOut)
      .Iters("spin_iters", p.spin_iters);
}
void Check(const FanOutComputeParams& p, Checker& c) {
  c.Number("fan_out", p.fan_out, 1, kMaxFanOut)
      .Number("cache_footprint_kb", p.cache_footprint_kb, 1, kMaxKb)
      .Number("operations", p.operations, 1, kMaxIters)
      .Time("sleep", p.sleep);
}
void CheckPhases(const std::vector<Phase>& phases, int depth, Checker& c) {
  c.Number("the number of phases", phases.size(), 1, kMaxPhases);
  for (const Phase& phase : phases) {
    if (phase.kind != Phase::Kind::kLoop) {
      c.Time("the time of a phase", phase.time);
      continue;
    }
    c.Iters("the count of a loop", phase.count);
    c.Number("the depth of loops", depth, 1, kMaxLoopDepth);
    if (depth <= kMaxLoopDepth) CheckPhases(phase.phases, depth + 1, c);
  }
}
void Check(const std::vector<Phase>& phases, Checker& c) {
  CheckPhases(phases, 1, c);
}
void Check(const AffinityChurnParams& p, Checker& c) {
  c.Iters("spin_iters", p.spin_iters);
}
void Check(const PolicyChurnParams& p, Checker& c) {
  c.Iters("spin_iters", p.spin_iters);
}
void Check(const PageFaultChurnParams& p, Checker& c) {
  c.Number("region_kb", p.region_kb, 1, kMaxKb)
      .Iters("touches_per_cycle", p.touches_per_cycle)
      .Iters("spin_iters", p.spin_iters);
}
void Check(const MutexContentionParams& p, Checker& c) {
  c.Number("contenders", p.contenders, 1, kMaxFanOut)
      .Iters("hold_iters", p.hold_iters)
      .Iters("work_iters", p.work_iters);
}
void Check(const TimerStormParams& p, Checker& c) {
  c.Number("timers", p.timers, 1, kMaxTimers)
      .Time("period", p.period)
      .Number("the period for each of the timers, in ns",
              p.period.count() / std::max(p.timers, 1u), kMinPeriod.count(),
              kMaxTime.count());
}
void Check(const SocketPingPongParams& p, Checker& c) {
  c.Iters("spin_iters", p.spin_iters);
}
void Check(const WorkqueuePressureParams& p, Checker& c) {
  c.Iters("spin_iters", p.spin_iters);
}

}  // namespace

WorkType WorkType::cpu_spin() { return Make(Kind::kCpuSpin); }
WorkType WorkType::yield_heavy() { return Make(Kind::kYieldHeavy); }
WorkType WorkType::mixed() { return Make(Kind::kMixed); }
WorkType WorkType::io_sync() { return Make(Kind::kIoSync); }
WorkType WorkType::fork_exit() { return Make(Kind::kForkExit); }
WorkType WorkType::nice_sweep() { return Make(Kind::kNiceSweep); }
WorkType WorkType::bursty(BurstyParams params) {
  return Make(Kind::kBursty, params);
}
WorkType WorkType::pipe_io(PipeIoParams params) {
  return Make(Kind::kPipeIo, params);
}
WorkType WorkType::futex_ping_pong(FutexPingPongParams params) {
  return Make(Kind::kFutexPingPong, params);
}
WorkType WorkType::cache_pressure(CacheParams params) {
  return Make(Kind::kCachePressure, params);
}
WorkType WorkType::cache_yield(CacheParams params) {
  return Make(Kind::kCacheYield, params);
}
WorkType WorkType::cache_pipe(CachePipeParams params) {
  return Make(Kind::kCachePipe, params);
}
WorkType WorkType::futex_fan_out(FutexFanOutParams params) {
  return Make(Kind::kFutexFanOut, params);
}
WorkType WorkType::fan_out_compute(FanOutComputeParams params) {
  return Make(Kind::kFanOutCompute, params);
}
WorkType WorkType::sequence(std::vector<Phase> phases) {
  return Make(Kind::kSequence, std::move(phases));
}
WorkType WorkType::affinity_churn(AffinityChurnParams params) {
  return Make(Kind::kAffinityChurn, params);
}
WorkType WorkType::policy_churn(PolicyChurnParams params) {
  return Make(Kind::kPolicyChurn, params);
}
WorkType WorkType::page_fault_churn(PageFaultChurnParams params) {
  return Make(Kind::kPageFaultChurn, params);
}
WorkType WorkType::mutex_contention(MutexContentionParams params) {
  return Make(Kind::kMutexContention, params);
}
WorkType WorkType::timer_storm(TimerStormParams params) {
  return Make(Kind::kTimerStorm, params);
}
WorkType WorkType::socket_ping_pong(SocketPingPongParams params) {
  return Make(Kind::kSocketPingPong, params);
}
WorkType WorkType::workqueue_pressure(WorkqueuePressureParams params) {
  return Make(Kind::kWorkqueuePressure, params);
}
WorkType WorkType::rcu_pressure() { return Make(Kind::kRcuPressure); }
WorkType WorkType::custom(std::string name, CustomBody body) {
  WorkType type = Make(Kind::kCustom);
  type.custom_name = std::move(name);
  type.custom_body = body;
  return type;
}

absl::StatusOr<WorkType> WorkType::ByName(absl::string_view name) {
  for (const Named& named : kNamed) {
    if (named.name == name) return named.make();
  }
  for (const char* special : {kSequenceName, kCustomName}) {
    if (special != name) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("work type ", name, " cannot be had by its name alone"));
  }
  for (const Named& named : kNamed) {
    if (!absl::EqualsIgnoreCase(named.name, name)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "no work type \"", name, "\" (did you mean ", named.name, "?)"));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no work type \"", name, "\"; there are ", absl::StrJoin(Names(), ", ")));
}

std::vector<std::string> WorkType::Names() {
  std::vector<std::string> names;
  for (const Named& named : kNamed) names.push_back(named.name);
  return names;
}

int WorkType::group_size() const {
  switch (kind) {
    case Kind::kPipeIo:
    case Kind::kFutexPingPong:
    case Kind::kCachePipe:
    case Kind::kSocketPingPong:
      return 2;
    case Kind::kFutexFanOut:
      return static_cast<int>(std::get<FutexFanOutParams>(params).fan_out) + 1;
    case Kind::kFanOutCompute:
      return static_cast<int>(std::get<FanOutComputeParams>(params).fan_out) +
             1;
    case Kind::kMutexContention:
      return static_cast<int>(
          std::get<MutexContentionParams>(params).contenders);
    default:
      return 1;
  }
}

std::string WorkType::name() const {
  if (kind == Kind::kCustom) return custom_name;
  if (kind == Kind::kSequence) return kSequenceName;
  for (const Named& named : kNamed) {
    if (named.make().kind == kind) return named.name;
  }
  return "unknown";
}

absl::Status WorkType::Validate() const {
  Checker checker(name());
  std::visit([&](const auto& p) { Check(p, checker); }, params);
  if (kind == Kind::kCustom && custom_body == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("custom work \"", custom_name, "\" has no function"));
  }
  return checker.status();
}

}  // namespace ktstr
