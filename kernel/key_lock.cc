// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kernel/key_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace ktstr::kernel {
namespace {

// The pid the holder wrote; 0 when it has not written it yet.
pid_t HolderOf(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, 64);
  int pid = 0;
  if (!text.ok() ||
      !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &pid)) {
    return 0;
  }
  return pid;
}

absl::Status Busy(const std::string& path) {
  return absl::UnavailableError(
      absl::StrCat("lock ", path, " is held by process ", HolderOf(path)));
}

// Waits until the holder closes the note (an event of `watch`) or dies.
absl::Status AwaitRelease(const std::string& path, int watch, int cancel_fd) {
  pid_t holder = HolderOf(path);
  UniqueFd process;
  if (holder > 0) process.Reset(syscall(SYS_pidfd_open, holder, 0));
  pollfd fds[] = {
      {watch, POLLIN, 0}, {cancel_fd, POLLIN, 0}, {process.get(), POLLIN, 0}};
  while (poll(fds, 3, -1) < 0) {
    if (errno != EINTR) return absl::ErrnoToStatus(errno, "poll");
  }
  if (fds[1].revents != 0) {
    return absl::CancelledError("stopped while waiting for a lock");
  }
  if (fds[0].revents == 0) return absl::OkStatus();
  char events[4096];
  if (read(watch, events, sizeof(events)) < 0) {
    return absl::ErrnoToStatus(errno, "read inotify");
  }
  return absl::OkStatus();
}

}  // namespace

KeyLock::~KeyLock() {
  // To close it would not do: a child which another thread starts just now has
  // both descriptors until its exec, which may close the note first.
  if (lock_) flock(lock_.get(), LOCK_UN);
}

absl::StatusOr<KeyLock> KeyLock::Try(const std::string& path) {
  // Read-only, so that a failed attempt is no event for those who wait.
  ABSL_ASSIGN_OR_RETURN(UniqueFd lock, OpenFile(path, O_RDONLY | O_CREAT));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Busy(path);
    return absl::ErrnoToStatus(errno, absl::StrCat("lock ", path));
  }
  ABSL_ASSIGN_OR_RETURN(UniqueFd note, OpenFile(path, O_WRONLY | O_TRUNC));
  ABSL_RETURN_IF_ERROR(WriteAll(note.get(), absl::StrCat(getpid(), "\n")));
  return KeyLock(std::move(note), std::move(lock));
}

absl::StatusOr<KeyLock> KeyLock::Wait(const std::string& path, int cancel_fd) {
  ABSL_RETURN_IF_ERROR(OpenFile(path, O_RDONLY | O_CREAT).status());
  UniqueFd watch(inotify_init1(IN_CLOEXEC));
  if (!watch) return absl::ErrnoToStatus(errno, "inotify");
  if (inotify_add_watch(watch.get(), path.c_str(), IN_CLOSE_WRITE) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("watch ", path));
  }
  while (true) {
    absl::StatusOr<KeyLock> lock = Try(path);
    if (lock.ok() || !absl::IsUnavailable(lock.status())) return lock;
    ABSL_RETURN_IF_ERROR(AwaitRelease(path, watch.get(), cancel_fd));
  }
}

}  // namespace ktstr::kernel
