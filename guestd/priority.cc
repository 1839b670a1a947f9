// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/priority.h"

#include <errno.h>
#include <sched.h>

namespace ktstr::guestd {
namespace {

// Above real-time workers of tests, below the kernel's own stop and watchdog
// threads (99).
constexpr int kPriority = 90;

}  // namespace

absl::Status RunAboveEveryScheduler() {
  sched_param param = {};
  param.sched_priority = kPriority;
  if (sched_setscheduler(0, SCHED_FIFO, &param) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "sched_setscheduler SCHED_FIFO");
}

}  // namespace ktstr::guestd
