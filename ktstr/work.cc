// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/work.h"

#include "absl/strings/str_cat.h"

namespace ktstr {
namespace {

WorkType OfKind(WorkType::Kind kind) {
  WorkType type;
  type.kind = kind;
  return type;
}

}  // namespace

WorkType WorkType::cpu_spin() { return OfKind(Kind::kCpuSpin); }
WorkType WorkType::yield_heavy() { return OfKind(Kind::kYieldHeavy); }
WorkType WorkType::mixed() { return OfKind(Kind::kMixed); }
WorkType WorkType::io_sync() { return OfKind(Kind::kIoSync); }
WorkType WorkType::fork_exit() { return OfKind(Kind::kForkExit); }

WorkType WorkType::bursty(BurstyParams params) {
  WorkType type = OfKind(Kind::kBursty);
  type.bursty_params = params;
  return type;
}

WorkType WorkType::futex_ping_pong(FutexPingPongParams params) {
  WorkType type = OfKind(Kind::kFutexPingPong);
  type.futex_params = params;
  return type;
}

WorkType WorkType::custom(std::string name, CustomBody body) {
  WorkType type = OfKind(Kind::kCustom);
  type.custom_name = std::move(name);
  type.custom_body = body;
  return type;
}

std::string WorkType::name() const {
  switch (kind) {
    case Kind::kCpuSpin:
      return "CpuSpin";
    case Kind::kYieldHeavy:
      return "YieldHeavy";
    case Kind::kMixed:
      return "Mixed";
    case Kind::kIoSync:
      return "IoSync";
    case Kind::kBursty:
      return "Bursty";
    case Kind::kFutexPingPong:
      return "FutexPingPong";
    case Kind::kForkExit:
      return "ForkExit";
    case Kind::kCustom:
      return custom_name;
  }
  return "unknown";
}

std::string SchedPolicy::ToString() const {
  switch (kind) {
    case Kind::kNormal:
      return "normal";
    case Kind::kBatch:
      return "batch";
    case Kind::kIdle:
      return "idle";
    case Kind::kFifo:
      return absl::StrCat("fifo(", priority, ")");
    case Kind::kRoundRobin:
      return absl::StrCat("round_robin(", priority, ")");
  }
  return "unknown";
}

}  // namespace ktstr
