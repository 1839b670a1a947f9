// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// What a Stage does to the machine: its CPUs, its scheduler.
#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cpu_list.h"
#include "base/status_macros.h"
#include "ktstr/internal/cpu_hotplug.h"
#include "ktstr/internal/scheduler_control.h"
#include "ktstr/internal/stage.h"

namespace ktstr::internal {

absl::Status CheckMachineOp(const Op& op, const Context& context) {
  const ContextParts& parts = context.parts();
  switch (op.kind) {
    case Op::Kind::kOfflineCpu:
    case Op::Kind::kOnlineCpu: {
      if (parts.cpus == nullptr) {
        return absl::UnimplementedError(absl::StrCat(
            op.ToString(), ": nobody can switch CPUs on and off here"));
      }
      const std::vector<int>& all = context.topology().all_cpus();
      if (op.cpu == 0 || !std::binary_search(all.begin(), all.end(), op.cpu)) {
        return absl::InvalidArgumentError(absl::StrCat(
            op.ToString(), ": not one of the CPUs ", FormatCpuList(all),
            ", of which CPU 0 cannot be switched"));
      }
      return absl::OkStatus();
    }
    case Op::Kind::kAttachScheduler:
    case Op::Kind::kDetachScheduler:
    case Op::Kind::kReplaceScheduler:
      if (parts.scheduler != nullptr) return absl::OkStatus();
      return absl::UnimplementedError(
          absl::StrCat(op.ToString(),
                       ": only guestd attaches schedulers, and this test was "
                       "started by somebody else"));
    default:
      return absl::OkStatus();
  }
}

absl::Status Stage::SetOnline(int cpu, bool is_online) {
  if (is_online != offline_.contains(cpu)) return absl::OkStatus();
  // It changes where every group may run.
  return ChangePlacement("", [&] {
    absl::Status status = context_.parts().cpus->SetOnline(cpu, is_online);
    if (status.ok() && is_online) offline_.erase(cpu);
    if (status.ok() && !is_online) offline_.insert(cpu);
    return status;
  });
}

std::vector<int> Stage::Online(const std::vector<int>& cpus) const {
  std::vector<int> online;
  std::set_difference(cpus.begin(), cpus.end(), offline_.begin(),
                      offline_.end(), std::back_inserter(online));
  return online;
}

void Stage::RestoreCpus() {
  for (int cpu : std::exchange(offline_, {})) {
    absl::Status status = context_.parts().cpus->SetOnline(cpu, true);
    if (status.ok()) continue;
    verdict_.Add(
        {.kind = FindingKind::kOther,
         .message = absl::StrCat(
             "CPU ", cpu, " cannot be brought back: ", status.message())});
  }
}

absl::Status Stage::ChangeScheduler(const Op& op) {
  SchedulerControl& control = *context_.parts().scheduler;
  SchedulerControl::Args args;
  if (op.has_args) args = op.args;
  // It ends because the test says so: nobody watches it meanwhile.
  watch_ = SchedulerWatch(std::nullopt);
  absl::Status status;
  if (op.kind == Op::Kind::kAttachScheduler) {
    status = control.Attach(args);
  } else if (op.kind == Op::Kind::kDetachScheduler) {
    status = control.Detach();
  } else {
    status = control.Replace(args);
  }
  watch_ = SchedulerWatch(control.pid());
  return status;
}

}  // namespace ktstr::internal
