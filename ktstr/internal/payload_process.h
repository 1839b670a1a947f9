// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_INTERNAL_PAYLOAD_PROCESS_H_
#define KTSTR_KTSTR_INTERNAL_PAYLOAD_PROCESS_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/subprocess.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "ktstr/context.h"
#include "ktstr/internal/payload_plan.h"

namespace ktstr::internal {

// The process of a payload, and the thread that takes its output from the
// start, so that it never waits for a reader.
//
// Shape:    started -> (asked to stop) -> Finish().
// Threads:  one, always the same: the process dies with the thread that started
//           it.
// Lifetime: the destructor kills what was not finished; it blocks until the
//           kernel has ended the process.
class PayloadProcess {
 public:
  static constexpr size_t kMaxOutputBytes = 16 << 20;
  // From fork to the program's first instruction; and where the host has fewer
  // CPUs than the guest.
  static constexpr absl::Duration kStartTimeout = absl::Seconds(5);
  static constexpr absl::Duration kSlowStartTimeout = absl::Seconds(30);

  // Starts the program of `plan`, which has been checked, on the PATH of this
  // process; it is in its cgroup, of the context's, before it executes.
  //
  // Errors: as PayloadBuilder::run().
  static absl::StatusOr<std::unique_ptr<PayloadProcess>> Start(
      const PayloadPlan& plan, const Context& context);

  PayloadProcess(const PayloadProcess&) = delete;
  PayloadProcess& operator=(const PayloadProcess&) = delete;
  ~PayloadProcess();

  pid_t pid() const { return process_.pid(); }
  // Readable once the process has ended. Borrowed.
  int pidfd() const { return process_.pidfd(); }
  bool has_ended() const;

  // Waits for the end, but not beyond `deadline` of RealClock().Monotonic().
  // Whether it came.
  bool AwaitEnd(absl::Duration deadline);

  // Asks the process to end, which is then the test's doing; nothing when it
  // has ended by itself. The next wait may last `how.grace`.
  void RequestStop(const PayloadStop& how);
  // Until when that is.
  absl::Duration stop_deadline() const { return stop_deadline_; }
  // Kills it; `limit` is the one it ran into.
  void KillAtLimit(absl::Duration limit);

  // Kills what is left of the process group, and collects the process and its
  // output. Once, after which pid() means nothing.
  PayloadEnding Finish();

 private:
  class Drain;

  PayloadProcess(Subprocess process, std::unique_ptr<Drain> drain);

  Subprocess process_;
  std::unique_ptr<Drain> drain_;
  bool is_finished_ = false;
  std::optional<PayloadStop> stop_;
  absl::Duration stop_deadline_;
  std::optional<absl::Duration> limit_;
};

}  // namespace ktstr::internal

#endif  // KTSTR_KTSTR_INTERNAL_PAYLOAD_PROCESS_H_
