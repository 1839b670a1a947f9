// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_MACHINE_WATCH_H_
#define KTSTR_HOSTD_MACHINE_WATCH_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "hostd/attempt_control.h"
#include "hostd/console.h"
#include "hostd/evidence.h"
#include "hostd/guest_record.h"
#include "hostd/guest_session.h"
#include "hostd/hello.h"
#include "hostd/vmm_process.h"
#include "hostd/watchdog_override.h"
#include "proto/attempt.pb.h"
#include "proto/guest.pb.h"

namespace ktstr::hostd {

// How long each part of an attempt may take, derived from its budget.
struct WatchLimits {
  absl::Duration boot;      // vmm start to hello
  absl::Duration setup;     // hello to workload started
  absl::Duration test;      // workload started to workload ended
  absl::Duration silence;   // between two events while the test runs
  absl::Duration detach;    // workload ended to the last event
  absl::Duration shutdown;  // last event to the typed end
  absl::Duration total;

  // The guest enforces the same budget and answers first; the slack on top is
  // for guests that do not answer. Zero fields of the budget get defaults.
  static WatchLimits From(const ktstr::v1::AttemptBudget& budget,
                          absl::Duration test_duration);
};

// What remains of a machine that ended.
struct WatchResult {
  Evidence evidence;
  GuestRecord guest;
  std::vector<ktstr::v1::PhaseEvidence> phases;  // ascending by time
  std::vector<ktstr::v1::BootStep> boot_steps;   // ascending by time
  std::string console_tail;
  std::string kernel_release;
  // When the guest said that it is done; monotonic.
  std::optional<absl::Duration> finished_at;
  // Of the watch's owner.
  std::optional<ktstr::v1::WatchdogOverride> watchdog;
};

// Follows one machine from its start to its end: reads its console and report,
// accepts the hello, runs the session, keeps the deadlines.
//
// Shape:   after a panic line the machine has 500 ms to end by itself (900 ms
//          while it still prints), then it is stopped; a machine that was asked
//          to stop has 2 s, then it is killed.
// Threads: one; Run polls descriptors and timers only.
class MachineWatch {
 public:
  struct Options {
    WatchLimits limits;
    // Its monotonic time is CLOCK_MONOTONIC, which vmm's report uses too.
    Clock* clock = nullptr;
    std::string vsock_path;
    ktstr::v1::RunTestRequest request;
    // To be written once the scheduler is attached; null: nothing is. Outlives
    // the watch.
    WatchdogOverride* watchdog = nullptr;
    // When vmm was started; phases count from here.
    absl::Duration started;
  };

  // All outlive the watch.
  MachineWatch(Options options, VmmProcess* vmm, HelloListener* hello,
               AttemptControl* control);

  // Blocks: until vmm has ended and its pipes are drained; bounded by the
  //         limits.
  WatchResult Run();

 private:
  // What the attempt is waiting for; each has one deadline.
  enum class Stage { kBoot, kSetup, kTest, kDetach, kShutdown, kEnding };

  bool IsOver() const;
  void Wait();
  absl::Duration NextTimer() const;
  void HandleTimers();
  void HandleStop();
  void HandleHello();
  void HandleSession();
  void ReadConsole();
  void ReadReport();
  void ReadStderr();
  void HandleReportLine(absl::string_view line);
  void HandleVmmEnd();
  void TakeSession();
  void NoteLoss(absl::Status status);

  void Enter(Stage stage);
  void EndMachine(bool is_immediate);
  void NoteDeadline(Deadline deadline, absl::Duration allowed);
  void NotePhase(ktstr::v1::Phase phase, absl::Duration at,
                 std::string detail = "");
  void NoteStep(absl::string_view name, absl::Duration at);
  absl::Duration Now() const { return options_.clock->Monotonic(); }

  const Options options_;
  VmmProcess* const vmm_;
  HelloListener* const hello_;
  AttemptControl* const control_;

  Stage stage_ = Stage::kBoot;
  absl::Duration stage_entered_;
  absl::Duration last_sign_of_life_;
  // Infinite while there is none.
  absl::Duration panic_at_ = absl::InfiniteDuration();
  absl::Duration last_console_ = absl::ZeroDuration();
  absl::Duration lost_at_ = absl::InfiniteDuration();
  absl::Duration stop_asked_at_ = absl::InfiniteDuration();

  bool is_vmm_ended_ = false;
  bool is_killed_ = false;
  bool is_hello_handled_ = false;
  bool is_guestd_gone_ = false;
  bool is_console_open_ = true;
  bool is_report_open_ = true;
  bool is_stderr_open_ = true;
  std::string report_line_;
  TailBuffer stderr_;
  Console console_;
  std::unique_ptr<GuestSession> session_;
  size_t phases_seen_ = 0;
  // Since the start of vmm.
  std::optional<absl::Duration> hello_at_;
  WatchResult result_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_MACHINE_WATCH_H_
