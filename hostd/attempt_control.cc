// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/attempt_control.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <utility>

#include "absl/status/status.h"

namespace ktstr::hostd {

absl::StatusOr<std::unique_ptr<AttemptControl>> AttemptControl::Create(
    std::function<void(ktstr::v1::Phase)> on_phase) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd immediate(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop || !immediate) return absl::ErrnoToStatus(errno, "eventfd");
  // The constructor is private, which make_unique cannot call.
  return std::unique_ptr<AttemptControl>(new AttemptControl(
      std::move(on_phase), std::move(stop), std::move(immediate)));
}

void AttemptControl::Stop(StopReason reason, bool is_immediate) {
  {
    absl::MutexLock lock(&mutex_);
    if (reason_ == StopReason::kNone) reason_ = reason;
    is_immediate_ |= is_immediate;
  }
  eventfd_write(stop_fd_.get(), 1);
  if (is_immediate) eventfd_write(immediate_fd_.get(), 1);
}

StopReason AttemptControl::reason() const {
  absl::MutexLock lock(&mutex_);
  return reason_;
}

bool AttemptControl::is_immediate() const {
  absl::MutexLock lock(&mutex_);
  return is_immediate_;
}

}  // namespace ktstr::hostd
