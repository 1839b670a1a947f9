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

int SetFifo(int flags) {
  sched_param param = {};
  param.sched_priority = kPriority;
  return sched_setscheduler(0, SCHED_FIFO | flags, &param);
}

bool IsFifo() {
  return (sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO;
}

}  // namespace

absl::Status RunAboveEveryScheduler() {
  if (SetFifo(0) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "sched_setscheduler SCHED_FIFO");
}

OrdinaryChildren::OrdinaryChildren() {
  if (IsFifo()) SetFifo(SCHED_RESET_ON_FORK);
}

OrdinaryChildren::~OrdinaryChildren() {
  if (IsFifo()) SetFifo(0);
}

}  // namespace ktstr::guestd
