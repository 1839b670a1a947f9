// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "hostd/watchdog_override.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/status_macros.h"
#include "hostd/kernel_symbols.h"

namespace ktstr::hostd {
namespace {

// Rounded up: what is asked for is allowed.
uint64_t ToJiffies(absl::Duration time, int hz) {
  const absl::Duration tick = absl::Seconds(1) / hz;
  return static_cast<uint64_t>(absl::Ceil(time, tick) / tick + 0.5);
}

}  // namespace

absl::StatusOr<WatchdogVariables> WatchdogVariables::Find(
    const std::string& vmlinux) {
  ABSL_ASSIGN_OR_RETURN(
      std::vector<KernelVariable> found,
      FindKernelVariablesInFile(
          vmlinux, {"scx_watchdog_timeout", "scx_watchdog_timestamp"}));
  for (const KernelVariable& variable : found) {
    if (variable.size_bytes != sizeof(uint64_t)) {
      return absl::NotFoundError(
          absl::StrCat("the kernel keeps its watchdog's time-out in ",
                       variable.size_bytes, " bytes, known are 8"));
    }
  }
  return WatchdogVariables{.timeout_address = found[0].guest_physical,
                           .timestamp_address = found[1].guest_physical};
}

void WatchdogOverride::Write(absl::StatusOr<GuestRam> ram) {
  if (ram_.has_value()) return;
  status_ = ram.status();
  if (!ram.ok()) return;
  ram_ = *std::move(ram);
  status_ = TryWrite();
}

absl::Status WatchdogOverride::TryWrite() {
  ABSL_RETURN_IF_ERROR(variables_.status());
  if (hz_ <= 0) {
    return absl::FailedPreconditionError(
        "the kernel's configuration does not say how long a jiffy is "
        "(CONFIG_HZ)");
  }
  ABSL_ASSIGN_OR_RETURN(uint64_t before,
                        ram_->ReadU64(variables_->timeout_address));
  ABSL_ASSIGN_OR_RETURN(look_before_,
                        ram_->ReadU64(variables_->timestamp_address));
  before_ = before;
  const uint64_t wanted = ToJiffies(timeout_, hz_);
  if (wanted < before) {
    look_before_ += before / 2;
    ABSL_RETURN_IF_ERROR(
        ram_->WriteU64(variables_->timestamp_address, look_before_));
  }
  ABSL_RETURN_IF_ERROR(ram_->WriteU64(variables_->timeout_address, wanted));
  written_ = wanted;
  return absl::OkStatus();
}

void WatchdogOverride::ReadBack() {
  if (!written_ || read_ || !status_.ok()) return;
  status_ = TryReadBack();
}

absl::Status WatchdogOverride::TryReadBack() {
  ABSL_ASSIGN_OR_RETURN(look_after_,
                        ram_->ReadU64(variables_->timestamp_address));
  ABSL_ASSIGN_OR_RETURN(uint64_t read,
                        ram_->ReadU64(variables_->timeout_address));
  read_ = read;
  if (read != *written_) {
    return absl::AbortedError(absl::StrCat("the kernel has changed it from ",
                                           *written_, " to ", read,
                                           " jiffies"));
  }
  if (*written_ < *before_ && look_after_ == look_before_) {
    return absl::DeadlineExceededError(absl::StrCat(
        "the watchdog did not look before the test was over; its first look is "
        "half of the scheduler's own ",
        *before_, " jiffies after attaching (", hz_, " a second)"));
  }
  return absl::OkStatus();
}

ktstr::v1::WatchdogOverride WatchdogOverride::report() const {
  ktstr::v1::WatchdogOverride report;
  *report.mutable_timeout() = ToProtoDuration(timeout_);
  if (before_) report.set_jiffies_before(*before_);
  if (written_) report.set_jiffies_written(*written_);
  if (read_) report.set_jiffies_read(*read_);
  report.set_had_effect(status_.ok() && read_.has_value());
  report.set_detail(std::string(status_.message()));
  return report;
}

}  // namespace ktstr::hostd
