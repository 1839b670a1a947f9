// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Attaches the fixture scheduler and waits for its end.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "bpf/options.h"
#include "bpf/scheduler.h"

namespace ktstr::bpf {
namespace {

constexpr int kExitDetached = 0;
constexpr int kExitNotAttached = 1;
constexpr int kExitUsage = 2;
constexpr int kExitEndedByKernel = 3;

int Complain(absl::string_view sentence, int exit_code) {
  fprintf(stderr, "scx_fixture: %.*s\n", static_cast<int>(sentence.size()),
          sentence.data());
  return exit_code;
}

// A descriptor that becomes readable when somebody wants this process to end.
absl::StatusOr<UniqueFd> OpenEndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return absl::ErrnoToStatus(errno, "blocking SIGINT and SIGTERM");
  }
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd) return absl::ErrnoToStatus(errno, "signalfd");
  return fd;
}

// For poll(2): rounded up, -1 for ever.
int MillisecondsUntil(absl::Duration deadline) {
  if (deadline == absl::InfiniteDuration()) return -1;
  absl::Duration left = deadline - RealClock().Monotonic();
  return static_cast<int>(
      std::ceil(std::max(0.0, absl::ToDoubleMilliseconds(left))));
}

// Returns when the kernel has ended the scheduler, a signal came or `deadline`
// (CLOCK_MONOTONIC) has passed.
absl::Status AwaitEnd(const Scheduler& scheduler, const UniqueFd& signals,
                      absl::Duration deadline) {
  pollfd awaited[] = {{.fd = scheduler.exit_fd(), .events = POLLIN},
                      {.fd = signals.get(), .events = POLLIN}};
  while (poll(awaited, 2, MillisecondsUntil(deadline)) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
  }
  return absl::OkStatus();
}

// The dump first, so that the last line says why.
int Report(const SchedulerExit& exit) {
  if (exit.is_on_request) return Complain("detached", kExitDetached);
  if (!exit.dump.empty()) {
    fprintf(stderr, "--- dump of the kernel ---\n%s\n--- end of dump ---\n",
            exit.dump.c_str());
  }
  std::string sentence = "the kernel ended the scheduler: " + exit.reason;
  if (!exit.message.empty()) sentence += " (" + exit.message + ")";
  return Complain(sentence, kExitEndedByKernel);
}

// Runs until the scheduler is detached; what it ended with.
absl::StatusOr<SchedulerExit> Run(const Options& options) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd signals, OpenEndSignals());
  ABSL_ASSIGN_OR_RETURN(std::unique_ptr<Scheduler> scheduler,
                        Scheduler::Load(options));
  ABSL_RETURN_IF_ERROR(scheduler->Attach());
  absl::Duration deadline = RealClock().Monotonic() + options.exit_after;
  fprintf(stderr, "scx_fixture: attached\n");
  ABSL_RETURN_IF_ERROR(AwaitEnd(*scheduler, signals, deadline));
  scheduler->Detach();
  std::optional<SchedulerExit> exit = scheduler->TakeExit();
  if (!exit) return absl::InternalError("the kernel did not say why it ended");
  return *std::move(exit);
}

int Main(const std::vector<std::string>& args) {
  absl::StatusOr<Options> options = ParseOptions(args);
  if (!options.ok()) {
    return Complain(options.status().message(), kExitUsage);
  }
  if (!options->to_print.empty()) {
    fputs(options->to_print.c_str(), stdout);
    return kExitDetached;
  }
  absl::StatusOr<SchedulerExit> exit = Run(*options);
  if (!exit.ok()) return Complain(exit.status().message(), kExitNotAttached);
  return Report(*exit);
}

}  // namespace
}  // namespace ktstr::bpf

int main(int argc, char** argv) {
  return ktstr::bpf::Main({argv + 1, argv + argc});
}
