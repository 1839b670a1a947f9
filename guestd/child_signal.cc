// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/child_signal.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace ktstr::guestd {
namespace {

// Where the handler writes; a signal handler has no other way to know.
std::atomic<int> signalled_fd = -1;

void OnChild(int) {
  int saved = errno;
  uint64_t one = 1;
  ssize_t ignored = write(signalled_fd.load(), &one, sizeof(one));
  (void)ignored;  // a full counter is readable, which is all we want
  errno = saved;
}

}  // namespace

ChildSignal::ChildSignal(Reports reports)
    : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  signalled_fd.store(event_.get());
  struct sigaction action = {};
  action.sa_handler = OnChild;
  action.sa_flags = SA_RESTART;
  if (reports == Reports::kEnds) action.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &action, nullptr);
}

ChildSignal::~ChildSignal() {
  signal(SIGCHLD, SIG_DFL);
  signalled_fd.store(-1);
}

void ChildSignal::Clear() {
  eventfd_t ignored;
  eventfd_read(event_.get(), &ignored);
}

}  // namespace ktstr::guestd
