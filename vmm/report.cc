// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace ktstr::vmm {

void Report::EmitStart(absl::string_view label) {
  EmitEvent({.name = "start", .detail = std::string(label)});
}

void Report::EmitVcpus(std::vector<int> tids) {
  EmitEvent({.name = "vcpus", .tids = std::move(tids)});
}

void Report::EmitEnd(const MachineOutcome& outcome) {
  EmitEvent({.name = "end", .end = outcome.end, .detail = outcome.detail});
}

void Report::EmitEvent(MachineEvent event) {
  event.at = clock_->Monotonic();
  MutexLock lock(&mutex_);
  if (has_ended_ || std::count(emitted_.begin(), emitted_.end(), event.name)) {
    return;
  }
  has_ended_ = event.name == "end";
  emitted_.push_back(event.name);
  if (fd_ < 0) return;
  WriteAll(fd_, absl::StrCat(FormatMachineEvent(event), "\n")).IgnoreError();
}

}  // namespace ktstr::vmm
