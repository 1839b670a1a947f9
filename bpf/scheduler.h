// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_BPF_SCHEDULER_H_
#define KTSTR_BPF_SCHEDULER_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bpf/options.h"

struct bpf_link;
struct fixture_programs;  // the skeleton
struct ring_buffer;

namespace ktstr::bpf {

// Why the kernel has let go of a scheduler.
struct SchedulerExit {
  bool is_on_request = false;  // by Detach(), and by nothing before it
  std::string reason;          // the kernel's word for the kind of exit
  std::string message;         // what the kernel adds; may be empty
  std::string dump;  // run queues and tasks at that time; may be empty
};

// The BPF half of scx_fixture.
//
// Threads: one.
class Scheduler {
 public:
  // Hands the programs to the kernel, which verifies them. What libbpf and the
  // verifier have to say goes to standard error.
  //
  // Errors: one sentence each.
  //   FailedPrecondition  the kernel has no sched_ext, or this machine more
  //   CPUs
  //                       or caches than the programs know of.
  //   errno's mapping     the kernel refused a program or a map.
  static absl::StatusOr<std::unique_ptr<Scheduler>> Load(
      const Options& options);

  // Detaches.
  ~Scheduler();

  // From the return on, every ordinary task is this scheduler's, and the time
  // to misbehave is counted.
  //
  // Errors:
  //   AlreadyExists    another scheduler is attached.
  //   errno's mapping  whatever else the kernel had against it.
  absl::Status Attach();

  // Gives all tasks back to the kernel's own scheduler; returns when it has
  // them. Nothing when not attached.
  void Detach();

  // Readable as soon as TakeExit() has an answer.
  int exit_fd() const;

  // Why the kernel let go; nothing while it has not, or when taken already.
  std::optional<SchedulerExit> TakeExit();

 private:
  Scheduler(const Options& options, fixture_programs* programs)
      : options_(options), programs_(programs) {}
  absl::Status SetConstants();
  absl::Status LoadPrograms();
  static int OnExit(void* self, void* record, size_t size);

  const Options options_;
  fixture_programs* const programs_;  // owned
  bpf_link* link_ = nullptr;          // owned
  ring_buffer* exits_ = nullptr;      // owned
  std::optional<SchedulerExit> exit_;
};

}  // namespace ktstr::bpf

#endif  // KTSTR_BPF_SCHEDULER_H_
