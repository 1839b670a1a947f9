// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_EVIDENCE_H_
#define KTSTR_HOSTD_EVIDENCE_H_

#include <bitset>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/subprocess.h"
#include "hostd/console.h"
#include "model/machine_spec.h"
#include "proto/guest.pb.h"
#include "proto/outcome.pb.h"

namespace ktstr::hostd {

// Why an attempt was told to end before it was over.
enum class StopReason {
  kNone = 0,
  // The coordinator wants no result: cancelled, or fenced by a newer attempt.
  kRevoked,
  // This hostd is going away.
  kDraining,
};

// Which of the attempt's deadlines passed first.
enum class Deadline {
  kNone = 0,
  kBoot,      // vmm start to hello
  kSetup,     // hello to workload started: the scheduler attaches in here
  kTest,      // workload started to workload ended
  kSilence,   // no sign of life from guestd while the test runs
  kDetach,    // workload ended to the guest's last event
  kShutdown,  // last event to the typed end
  kTotal,     // everything
};

// Everything hostd saw of one attempt, in the terms it was seen in. Says
// nothing about what it means: classify.h does.
struct Evidence {
  // A scheduler other than the kernel's default was to be tested.
  bool has_scheduler = false;
  std::string scheduler_name;

  // Not OK when no machine was started: an artifact missing, the disk full.
  absl::Status preparation;
  // Why this host cannot run the test at all, though nothing is broken.
  std::string unmet_precondition;
  StopReason stop = StopReason::kNone;
  Deadline deadline = Deadline::kNone;
  // What `deadline` allowed.
  absl::Duration allowed;

  // Phases with evidence; index is ktstr::v1::Phase.
  std::bitset<16> phases;
  ConsoleFacts console;

  // vmm's own words and how its process ended. kUnspecified: no end line.
  MachineEnd machine_end = MachineEnd::kUnspecified;
  std::string machine_end_detail;
  std::optional<ExitStatus> vmm_exit;
  std::string vmm_stderr;
  // hostd asked vmm to stop or killed it.
  bool is_vmm_stopped = false;

  // Why connections to the hello port were refused; the last one.
  std::string refused_hello;
  // guestd's own complaint in its hello.
  std::string init_error;

  // What guestd reported.
  bool is_test_requested = false;
  bool is_finished = false;
  std::optional<ktstr::v1::Finding> failure;
  std::optional<ktstr::v1::Verdict> verdict;
  std::optional<ktstr::v1::TestExit> test_exit;
  std::optional<ktstr::v1::SchedulerReport> scheduler;
  // How the session with guestd ended; OK while it lasts and after `finished`.
  absl::Status session;

  bool Reached(ktstr::v1::Phase phase) const {
    return phases.test(static_cast<size_t>(phase));
  }
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_EVIDENCE_H_
