// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstrctl/interrupts.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

#include "absl/status/status.h"

namespace ktstr::ktstrctl {
namespace {

sigset_t InterruptSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void BlockInterrupts() {
  sigset_t set = InterruptSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

absl::StatusOr<std::unique_ptr<Interrupts>> Interrupts::Start(
    std::function<void(int)> on_signal) {
  sigset_t set = InterruptSignals();
  UniqueFd signals(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return absl::ErrnoToStatus(errno, "signalfd");
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop) return absl::ErrnoToStatus(errno, "eventfd");
  return std::unique_ptr<Interrupts>(new Interrupts(
      std::move(signals), std::move(stop), std::move(on_signal)));
}

Interrupts::Interrupts(UniqueFd signals, UniqueFd stop,
                       std::function<void(int)> on_signal)
    : signals_(std::move(signals)),
      stop_(std::move(stop)),
      on_signal_(std::move(on_signal)),
      thread_("signals", [this] { Run(); }) {}

Interrupts::~Interrupts() {
  uint64_t one = 1;
  ssize_t ignored = write(stop_.get(), &one, sizeof(one));
  (void)ignored;  // an eventfd takes a one
  thread_.Join();
}

void Interrupts::Run() {
  for (int count = 1;;) {
    pollfd waited[2] = {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
                        {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
    if (poll(waited, 2, -1) < 0) continue;
    if (waited[1].revents != 0) return;
    signalfd_siginfo info;
    while (read(signals_.get(), &info, sizeof(info)) ==
           static_cast<ssize_t>(sizeof(info))) {
      on_signal_(count++);
    }
  }
}

}  // namespace ktstr::ktstrctl
