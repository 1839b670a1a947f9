// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_ATTEMPT_CONTROL_H_
#define KTSTR_HOSTD_ATTEMPT_CONTROL_H_

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "hostd/evidence.h"
#include "proto/outcome.pb.h"

namespace ktstr::hostd {

// Between an attempt that runs and whoever started it: phases go out, the wish
// to stop comes in.
//
// Threads: any.
class AttemptControl {
 public:
  // `on_phase` is called on the attempt's thread without locks held.
  static absl::StatusOr<std::unique_ptr<AttemptControl>> Create(
      std::function<void(ktstr::v1::Phase)> on_phase);

  // The first reason stays; `is_immediate` (do not wait for vmm to end by
  // itself) may come later.
  void Stop(StopReason reason, bool is_immediate = false);

  StopReason reason() const;
  bool is_immediate() const;
  // Becomes and stays readable with Stop; level-triggered.
  int stop_fd() const { return stop_fd_.get(); }
  // As stop_fd, with an immediate Stop.
  int immediate_fd() const { return immediate_fd_.get(); }

  void ReportPhase(ktstr::v1::Phase phase) { on_phase_(phase); }

 private:
  AttemptControl(std::function<void(ktstr::v1::Phase)> on_phase,
                 UniqueFd stop_fd, UniqueFd immediate_fd)
      : on_phase_(std::move(on_phase)),
        stop_fd_(std::move(stop_fd)),
        immediate_fd_(std::move(immediate_fd)) {}

  const std::function<void(ktstr::v1::Phase)> on_phase_;
  const UniqueFd stop_fd_;
  const UniqueFd immediate_fd_;

  mutable absl::Mutex mutex_;
  StopReason reason_ ABSL_GUARDED_BY(mutex_) = StopReason::kNone;
  bool is_immediate_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_ATTEMPT_CONTROL_H_
