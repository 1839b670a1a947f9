// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SESSION_H_
#define KTSTR_GUESTD_SESSION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "guestd/event_loop.h"
#include "guestd/sched_ext.h"
#include "guestd/scheduler.h"
#include "guestd/setup.h"
#include "guestd/test_process.h"
#include "model/guest_layout.h"
#include "proto/guest.pb.h"

namespace ktstr::guestd {

struct SessionOptions {
  // When init began (CLOCK_MONOTONIC): evidence of phase INIT.
  absl::Duration init_started;
  SchedExt::Options sched_ext;
  std::string tracefs = "/sys/kernel/tracing";
  SetupRoots setup_roots;
  // Parent of the test's cgroups, unless its scheduler declares one; emptied
  // and removed afterwards.
  std::string cgroup_root = kGuestCgroupRoot;
  absl::Duration heartbeat_interval = absl::Milliseconds(500);
  // How long a test may go on after its scheduler is gone: enough to notice and
  // to say what it saw.
  absl::Duration grace_without_scheduler = absl::Seconds(2);
  // How long a test may live on after its verdict.
  absl::Duration grace_after_verdict = absl::Seconds(10);
  // This process is the guest's init: it reaps orphans and ends strays.
  bool is_init = false;
};

// One RunTest: scheduler up, test, scheduler down, nothing left behind.
//
// Threads: Run() does everything in the calling thread, which must live as long
//          as the processes it starts.
class Session {
 public:
  // Receives the events in order, `finished` last. False: the host is gone, the
  // session ends early.
  using Emit = std::function<bool(const v1::GuestEvent&)>;

  Session(SessionOptions options, Emit emit);
  ~Session();

  // What went wrong with scheduler or test is in the events.
  //
  // Errors:
  //   InvalidArgument  the request names no test or no absolute paths.
  //   Cancelled        the host is gone; everything started is killed.
  absl::Status Run(const v1::RunTestRequest& request);

 private:
  void StartHeartbeat();
  void OnHeartbeat();
  // False when the test shall not run; here and below.
  bool SetUp(const v1::RunTestRequest& request);
  bool AttachScheduler(const v1::RunTestRequest& request);
  // Starts the next run of the scheduler; why it did not attach.
  absl::optional<v1::Finding> StartScheduler(const v1::RunTestRequest& request,
                                             std::vector<std::string> args);
  bool WriteMaps(const v1::RunTestRequest& request);
  void RunTest(const v1::RunTestRequest& request);
  void OnFrame(const v1::TestFrame& frame);
  void OnSchedulerTrouble();
  v1::ControlResponse OnRequest(const v1::RunTestRequest& request,
                                const v1::ControlRequest& asked);
  absl::Status ChangeScheduler(const v1::RunTestRequest& request,
                               const v1::ControlRequest& asked);
  void ReportTestEnd(const v1::TestExit& exit);
  void CleanUp();
  void RemoveCgroups(const std::string& root);
  void UndoSetUp(const v1::RunTestRequest& request);
  // False when the kernel still reports it afterwards.
  bool StopScheduler(const v1::RunTestRequest& request);
  void SendSchedulerReport();
  void SendKernelLog();

  void Send(v1::GuestEvent event);
  void SendPhase(v1::Phase phase);
  void SendFailure(v1::Finding finding);

  const SessionOptions options_;
  const Emit emit_;
  bool is_host_gone_ = false;
  bool has_verdict_ = false;
  bool is_damaged_ = false;
  // Of the scheduler: how often it was started, with what the last time, and
  // whether the test has asked for its end.
  int scheduler_runs_ = 0;
  std::vector<std::string> scheduler_args_;
  bool is_ended_by_test_ = false;
  EventLoop loop_;
  UniqueFd heartbeat_;
  // The test goes first: it may depend on the scheduler's pid.
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<TestProcess> test_;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SESSION_H_
