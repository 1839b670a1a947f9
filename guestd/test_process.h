// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_TEST_PROCESS_H_
#define KTSTR_GUESTD_TEST_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "guestd/child.h"
#include "guestd/event_loop.h"
#include "guestd/frames.h"
#include "proto/guest.pb.h"
#include "proto/test_frame.pb.h"

namespace ktstr::guestd {

// One run of one test of a suite binary.
//
// Trust:   frames and output are the test's; a damaged frame stream ends the
//          test (kill) and is remembered in stream_error().
// Threads: the loop's.
class TestProcess {
 public:
  struct Callbacks {
    std::function<void(absl::string_view)> on_log;
    std::function<void(const v1::TestFrame&)> on_frame;
    // Called between two turns of the loop and may run it itself.
    std::function<v1::ControlResponse(const v1::ControlRequest&)> on_request;
  };

  // Starts `SUITE --ktstr-run TEST` with the environment a suite expects.
  // `scheduler_pid` is -1 for the kernel's default; `cgroup_root` is the parent
  // of the test's cgroups, empty for the suite's own.
  //
  // Errors: as Subprocess::Start().
  static absl::StatusOr<std::unique_ptr<TestProcess>> Start(
      const v1::RunTestRequest& request, pid_t scheduler_pid,
      const std::string& cgroup_root, EventLoop* loop, Callbacks callbacks);
  ~TestProcess();

  bool is_running() const { return child_->is_running(); }
  pid_t pid() const { return child_->pid(); }

  // Ends the whole group now.
  void Kill();

  // Kill() at `deadline` (CLOCK_MONOTONIC), marked as a time-out. Runs the loop
  // until the process has ended.
  v1::TestExit Wait(absl::Duration deadline);

  // Brings the deadline of a Wait() in progress forward; `is_timeout` says
  // whether reaching it counts as one.
  void Hasten(absl::Duration deadline, bool is_timeout);

  const absl::Status& stream_error() const { return stream_error_; }

 private:
  TestProcess(EventLoop* loop, Callbacks callbacks)
      : loop_(loop), callbacks_(std::move(callbacks)) {}
  // Reads what is there; false at end of file.
  bool ReadFrames();
  void OnFrames();
  void DeliverFrames();
  void WatchRequests();
  void OnRequest();
  void Answer();

  EventLoop* const loop_;
  const Callbacks callbacks_;
  UniqueFd frames_;
  UniqueFd control_;
  absl::optional<v1::ControlRequest> pending_;
  FrameReader reader_;
  absl::Status stream_error_;
  absl::Duration deadline_ = absl::InfiniteDuration();
  bool counts_as_timeout_ = true;
  std::unique_ptr<Child> child_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_TEST_PROCESS_H_
