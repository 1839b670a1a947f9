// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/context.h"

#include "ktstr/internal/scheduler_control.h"

namespace ktstr {

std::optional<int> Context::sched_pid() const {
  return parts_.scheduler ? parts_.scheduler->pid() : parts_.sched_pid;
}

}  // namespace ktstr
