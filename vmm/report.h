// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_REPORT_H_
#define KTSTR_VMM_REPORT_H_

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "model/machine_spec.h"
#include "vmm/end_latch.h"

namespace ktstr::vmm {

// The machine's report: one MachineEvent a line, see model/machine_spec.h.
//
// Threads: any. Blocks only if the reader lets a pipe fill up, which takes
//          hundreds of machines' worth of lines.
// Errors:  a reader that went away is ignored: its going away ends the machine
//          by other means (MachineSpec::control_fd).
class Report {
 public:
  // `fd` -1 discards. Borrows both.
  Report(int fd, Clock* clock) : fd_(fd), clock_(clock) {}

  // Writes the event, unless one of that name or the end was written before.
  void Emit(absl::string_view name) { EmitEvent({.name = std::string(name)}); }
  // "start", with the label of the attempt.
  void EmitStart(absl::string_view label);
  // "vcpus"; `tids` by CPU number.
  void EmitVcpus(std::vector<int> tids);
  // "end". Nothing follows.
  void EmitEnd(const MachineOutcome& outcome);

 private:
  void EmitEvent(MachineEvent event);

  const int fd_;
  Clock* const clock_;
  // Serialises lines; held while writing one.
  Mutex mutex_;
  std::vector<std::string> emitted_ ABSL_GUARDED_BY(mutex_);
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_REPORT_H_
