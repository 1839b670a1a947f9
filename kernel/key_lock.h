// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KERNEL_KEY_LOCK_H_
#define KTSTR_KERNEL_KEY_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace ktstr::kernel {

// An exclusive claim on a lock file, across processes, while the object lives
// (flock: the kernel drops it when the process dies). The file holds the pid of
// the holder, for messages, and stays.
//
// Threads: one thread at a time.
class KeyLock {
 public:
  // Errors: Unavailable when another process holds it, naming its pid; the
  //         mapping of errno with the path.
  static absl::StatusOr<KeyLock> Try(const std::string& path);

  // The same, waiting for the holder.
  //
  // Blocks: until the holder lets go or `cancel_fd` (-1: none) is readable,
  //         which is Cancelled.
  static absl::StatusOr<KeyLock> Wait(const std::string& path, int cancel_fd);

  KeyLock(KeyLock&&) noexcept = default;
  KeyLock& operator=(KeyLock&&) = delete;
  ~KeyLock();

 private:
  KeyLock(UniqueFd note, UniqueFd lock)
      : note_(std::move(note)), lock_(std::move(lock)) {}

  // The lock goes, then the note is closed, and that close is the event which
  // Wait() waits for. The end of a process that dies with the lock is an event
  // of its own.
  UniqueFd note_;
  UniqueFd lock_;
};

}  // namespace ktstr::kernel

#endif  // KTSTR_KERNEL_KEY_LOCK_H_
