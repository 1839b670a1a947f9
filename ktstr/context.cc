// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/context.h"

#include <utility>

#include "ktstr/internal/scheduler_control.h"

namespace ktstr {

std::optional<int> Context::sched_pid() const {
  return parts_.scheduler ? parts_.scheduler->pid() : parts_.sched_pid;
}

Work Context::swapped(Work work) const {
  if (!parts_.work_type) return work;
  const int group = parts_.work_type->group_size();
  const int workers = work.worker_count().value_or(parts_.workers_per_cgroup);
  const bool fits =
      workers % group == 0 && (group == 1 || work.thread_count() == 1);
  return fits ? std::move(work.type(*parts_.work_type)) : work;
}

void Context::record(std::string name, double value, std::string unit,
                     Polarity polarity) const {
  if (!parts_.on_record) return;
  parts_.on_record({.name = std::move(name),
                    .value = value,
                    .unit = std::move(unit),
                    .polarity = polarity});
}

}  // namespace ktstr
