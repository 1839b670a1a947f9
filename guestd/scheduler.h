// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_GUESTD_SCHEDULER_H_
#define KTSTR_GUESTD_SCHEDULER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "guestd/bpf_trace.h"
#include "guestd/child.h"
#include "guestd/event_loop.h"
#include "guestd/sched_ext.h"
#include "guestd/sched_ext_dump.h"
#include "proto/guest.pb.h"
#include "proto/outcome.pb.h"

namespace ktstr::guestd {

// The scheduler under test: its process, and what the kernel says about it.
//
// Attached means that the kernel says so, never that the process does. Trouble
// after that is the end of the process, or the kernel having unloaded it (its
// watchdog, a BPF error) though the process may live.
//
// Threads: the loop's.
class Scheduler {
 public:
  struct Options {
    std::string name;  // for messages
    std::string program;
    std::vector<std::string> args;  // argv[1..]
    std::vector<std::string> extra_env;
    SchedExt::Options sched_ext;
    // Trace it until it is attached; see BpfTrace.
    bool wants_verifier_log = false;
    std::function<void(absl::string_view)> on_log;
    // Where tracefs is mounted; a kernel without it makes no dump.
    std::string tracefs;
    std::function<void(absl::string_view)> on_dump;
  };

  Scheduler(Options options, EventLoop* loop)
      : options_(std::move(options)), loop_(loop) {}
  // Kills what is left.
  ~Scheduler();

  // Starts it and runs the loop until the kernel reports it attached. Otherwise
  // why not: SCHEDULER_DIED with its status and last line, or
  // SCHEDULER_NOT_ATTACHED (kernel without sched_ext, or `timeout`).
  absl::optional<v1::Finding> Attach(absl::Duration timeout);

  // Called once, when trouble begins after Attach().
  void OnTrouble(std::function<void()> on_trouble);

  // It has ended, or was unloaded, though nobody asked for it.
  bool is_in_trouble() const { return is_in_trouble_; }

  // Whether the kernel has reported it attached since Attach().
  bool was_attached() const { return is_attached_; }

  // Asks it to detach (SIGINT), kills it after half of `timeout`, and runs the
  // loop until the kernel reports no scheduler. False when it still does at the
  // end.
  bool Stop(absl::Duration timeout);

  // -1 before Attach().
  pid_t pid() const { return child_ ? child_->pid() : -1; }

  // As known now. The whole dump goes to on_dump() first.
  v1::SchedulerReport report() const;

  // Writes into the maps that the BPF programs it loaded use, after Attach().
  //
  // Errors: as WriteMaps(), and what the kernel says when it does not list its
  // programs.
  absl::Status Write(
      const google::protobuf::RepeatedPtrField<v1::BpfMapWrite>& writes) const;

  // The BPF programs it loaded until Attach() returned.
  const v1::BpfPrograms& bpf_programs() const { return bpf_programs_; }

 private:
  absl::optional<v1::Finding> Start();
  void Keep(absl::string_view output);
  void CheckForTrouble();
  v1::Finding DiedBeforeAttaching() const;
  std::string LastLine() const;

  const Options options_;
  EventLoop* const loop_;
  std::unique_ptr<SchedExt> sched_ext_;
  std::unique_ptr<SchedExtDump> dump_;  // null where the kernel makes none
  // Goes before the child is reaped, after it was killed.
  std::unique_ptr<BpfTrace> trace_;  // null unless wanted
  uint32_t last_program_before_ = 0;
  // Its callbacks use this object; destroyed first.
  std::unique_ptr<Child> child_;
  std::function<void()> on_trouble_;
  std::string tail_;  // end of its output
  std::string attached_ops_;
  v1::BpfPrograms bpf_programs_;
  bool is_attached_ = false;
  bool is_stopping_ = false;
  bool is_in_trouble_ = false;
  bool has_died_ = false;
  bool was_unloaded_ = false;
};

}  // namespace ktstr::guestd

#endif  // KTSTR_GUESTD_SCHEDULER_H_
