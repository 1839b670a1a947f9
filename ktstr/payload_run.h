// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Running an external program from the body of a test:
//
//   absl::StatusOr<PayloadHandle> load = ctx.payload(kLoad).spawn();
//   if (!load.ok()) return load.status();
//   absl::StatusOr<PayloadResult> fio =
//       ctx.payload(kFio).arg("--rw=read").timeout(5s).run();
//   load->kill().status().IgnoreError();
//
// What checks find and the metrics go into the test's result by themselves. In
// scenarios there are ops for the same: Op::run_payload().
#ifndef KTSTR_KTSTR_PAYLOAD_RUN_H_
#define KTSTR_KTSTR_PAYLOAD_RUN_H_

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ktstr/payload.h"
#include "ktstr/payload_result.h"

namespace ktstr {

class Context;

namespace internal {
struct PayloadPlan;    // internal/payload_plan.h
class PayloadProcess;  // internal/payload_process.h
}  // namespace internal

// A program that runs.
//
// Threads:  the one that made it.
// Lifetime: the context outlives it. The destructor kills a program that was
//           neither waited for nor killed, warns, and its metrics are lost.
// Errors:   FailedPrecondition for a second call of wait() or kill(), or one
//           after a try_wait() that had a result: there is one result.
class PayloadHandle {
 public:
  PayloadHandle(PayloadHandle&&) noexcept;
  PayloadHandle& operator=(PayloadHandle&&) noexcept;
  ~PayloadHandle();

  pid_t pid() const;

  // Blocks until the program has ended.
  absl::StatusOr<PayloadResult> wait();

  // Ends it as its definition says, or as told. One that has ended by itself is
  // only collected.
  absl::StatusOr<PayloadResult> kill();
  absl::StatusOr<PayloadResult> kill(const PayloadStop& how);

  // As wait() when the program has ended, else nothing.
  absl::StatusOr<std::optional<PayloadResult>> try_wait();

 private:
  friend class PayloadBuilder;
  PayloadHandle(const Context& context, internal::PayloadPlan plan,
                std::unique_ptr<internal::PayloadProcess> process);
  absl::Status CheckLive() const;
  PayloadResult Collect();

  const Context* context_;
  std::unique_ptr<internal::PayloadPlan> plan_;
  std::unique_ptr<internal::PayloadProcess> process_;  // null: collected
};

// What to run, and how; made by Context::payload(). The program is in its
// cgroup before its first instruction, in a process group of its own, and gets
// no input. What it leaves running in that group ends with it.
//
// Lifetime: the context outlives it.
class PayloadBuilder {
 public:
  PayloadBuilder(const Context& context, const PayloadDef& def);
  PayloadBuilder(PayloadBuilder&&) noexcept;
  ~PayloadBuilder();

  // Behind those of the definition.
  PayloadBuilder& arg(std::string word);
  PayloadBuilder& args(const std::vector<std::string>& words);
  // Those of the definition too.
  PayloadBuilder& clear_args();
  // Beside those of the definition.
  PayloadBuilder& check(const PCheck& check);
  PayloadBuilder& clear_checks();
  // One that exists; a '/' in front is ignored. Default: the test's own.
  PayloadBuilder& in_cgroup(std::string name);
  // For run(): kills it then. That is no failure in itself, and what it printed
  // until then counts.
  PayloadBuilder& timeout(std::chrono::nanoseconds limit);

  // Runs it to its end; or starts it. Once, either of them.
  //
  // Errors:
  //   InvalidArgument     what may not be: a definition, an option that it does
  //                       not know, the name of a cgroup, a time-out of a
  //                       program that is spawned or that is not positive.
  //   NotFound            there is no such program on PATH, or no such cgroup.
  //   DeadlineExceeded    it did not start within 5 s (30 s where the host has
  //                       fewer CPUs than the guest).
  //   FailedPrecondition  this has been run or spawned already.
  //   others              from the kernel.
  absl::StatusOr<PayloadResult> run();
  absl::StatusOr<PayloadHandle> spawn();

 private:
  absl::StatusOr<std::unique_ptr<internal::PayloadProcess>> Start();

  const Context* context_;
  std::unique_ptr<internal::PayloadPlan> plan_;
  std::optional<std::chrono::nanoseconds> timeout_;
  bool is_used_ = false;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_PAYLOAD_RUN_H_
