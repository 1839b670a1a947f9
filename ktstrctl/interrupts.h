// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_INTERRUPTS_H_
#define KTSTR_KTSTRCTL_INTERRUPTS_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "base/thread.h"
#include "base/unique_fd.h"

namespace ktstr::ktstrctl {

// Blocks SIGINT, SIGTERM and SIGHUP in the calling thread and those it starts
// from now on. Call first thing in main(), before any thread exists.
void BlockInterrupts();

// Turns those signals into calls.
//
// Threads: one of its own ("signals"), on which `on_signal` runs.
class Interrupts {
 public:
  // `on_signal(n)` is called for the n-th signal, n from 1.
  static absl::StatusOr<std::unique_ptr<Interrupts>> Start(
      std::function<void(int)> on_signal);

  // Blocks: until a running on_signal returns.
  ~Interrupts();

 private:
  Interrupts(UniqueFd signals, UniqueFd stop,
             std::function<void(int)> on_signal);
  void Run();

  const UniqueFd signals_;
  const UniqueFd stop_;
  const std::function<void(int)> on_signal_;
  Thread thread_;
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_INTERRUPTS_H_
