// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a Stage does with cgroups beside their cpusets and tasks.
#include <stdio.h>

#include <chrono>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ktstr/internal/stage.h"

namespace ktstr::internal {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxWeight = 10000;

absl::Status CheckCpuMax(const CpuMax& max) {
  if (max.period < 1ms || max.period > 1s) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a period of ", max.period.count(), " us is not 1 ms to 1 s"));
  }
  if (max.quota && *max.quota < 1ms) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a quota of ", max.quota->count(), " us is less than 1 ms"));
  }
  return absl::OkStatus();
}

bool IsInOrBelow(const std::string& cgroup, const std::string& above) {
  return cgroup == above || absl::StartsWith(cgroup, absl::StrCat(above, "/"));
}

}  // namespace

absl::Status Stage::SetWeight(const std::string& name, int weight) {
  ABSL_RETURN_IF_ERROR(Require(name));
  if (weight < 1 || weight > kMaxWeight) {
    return absl::InvalidArgumentError(
        absl::StrCat("a weight of ", weight, " is not from 1 to ", kMaxWeight));
  }
  return context_.cgroups().SetWeight(name, weight);
}

absl::Status Stage::SetCpuMax(const std::string& name, const CpuMax& max) {
  ABSL_RETURN_IF_ERROR(Require(name));
  ABSL_RETURN_IF_ERROR(CheckCpuMax(max));
  ABSL_RETURN_IF_ERROR(context_.cgroups().SetCpuMax(name, max));
  limited_.insert(name);
  return absl::OkStatus();
}

absl::Status Stage::SetIdle(const std::string& name, bool is_idle) {
  ABSL_RETURN_IF_ERROR(Require(name));
  return context_.cgroups().SetIdle(name, is_idle);
}

absl::Status Stage::SetAttributes(const Cgroup& definition) {
  if (definition.cpu_weight()) {
    ABSL_RETURN_IF_ERROR(
        SetWeight(definition.name(), *definition.cpu_weight()));
  }
  if (definition.cpu_limit()) {
    ABSL_RETURN_IF_ERROR(SetCpuMax(definition.name(), *definition.cpu_limit()));
  }
  if (!definition.is_idle()) return absl::OkStatus();
  return SetIdle(definition.name(), true);
}

absl::Status Stage::Freeze(const std::string& name) {
  ABSL_RETURN_IF_ERROR(Require(name));
  absl::Status status = context_.cgroups().SetFrozen(name, true);
  if (!status.ok()) {
    // Some of its tasks may have stopped: none may stay so.
    context_.cgroups().SetFrozen(name, false).IgnoreError();
    return status;
  }
  frozen_.insert(name);
  UpdateFrozen();
  return absl::OkStatus();
}

absl::Status Stage::Thaw(const std::string& name) {
  ABSL_RETURN_IF_ERROR(Require(name));
  frozen_.erase(name);
  // The account is closed before anybody runs: what comes after the thawing is
  // the scheduler's.
  UpdateFrozen();
  return context_.cgroups().SetFrozen(name, false);
}

void Stage::UpdateFrozen() {
  for (Group& group : groups_) {
    bool is_frozen = false;
    for (const std::string& name : frozen_) {
      is_frozen |= IsInOrBelow(group.cgroup, name);
    }
    group.workers->SetFrozen(is_frozen);
  }
}

void Stage::ThawFor(const std::function<bool(const Group&)>& selected) {
  std::set<std::string> cgroups;
  for (const Group& group : groups_) {
    if (selected(group)) cgroups.insert(group.cgroup);
  }
  ThawAround(cgroups);
}

void Stage::ThawAround(const std::set<std::string>& cgroups) {
  std::set<std::string> names;
  for (const std::string& cgroup : cgroups) {
    for (const std::string& name : frozen_) {
      if (IsInOrBelow(cgroup, name)) names.insert(name);
    }
  }
  for (const std::string& name : names) {
    if (absl::Status status = Thaw(name); !status.ok()) {
      fprintf(stderr, "ktstr: warning: %s\n",
              std::string(status.message()).c_str());
    }
  }
}

absl::Duration Stage::Throttled(const std::string& cgroup) const {
  absl::Duration total;
  for (const std::string& name : limited_) {
    if (!IsInOrBelow(cgroup, name)) continue;
    total +=
        context_.cgroups().ReadThrottled(name).value_or(absl::ZeroDuration());
  }
  return total;
}

void Stage::Forget(const std::string& name) {
  cpusets_.erase(name);
  limited_.erase(name);
  frozen_.erase(name);
}

}  // namespace ktstr::internal
