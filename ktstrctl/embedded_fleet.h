// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTRCTL_EMBEDDED_FLEET_H_
#define KTSTR_KTSTRCTL_EMBEDDED_FLEET_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"
#include "ktstrctl/run_directory.h"

namespace ktstr::ktstrctl {

// A coordinator and one hostd as children of this process, for machines without
// a lab: same programs, same code path, over a unix socket in a private
// directory.
//
// Both end with this process, however it ends; the directory goes with Stop(),
// KillNow() or the next start.
//
// Threads: Start(), Stop() and the destructor on one thread that lives as long
//          as the fleet (the kernel ties children to the thread that started
//          them); KillNow() on any.
class EmbeddedFleet {
 public:
  // `on_made` gets the object before its first child starts, so that another
  // thread can call KillNow(); with nullptr when Start() fails.
  //
  // Blocks: until the coordinator serves and hostd has registered there, each
  //         for at most `timeout`.
  // Errors: NotFound for a program that is not there; Unavailable with the end
  //         of its log for one that does not start.
  static absl::StatusOr<std::unique_ptr<EmbeddedFleet>> Start(
      const std::function<void(EmbeddedFleet*)>& on_made,
      absl::Duration timeout = absl::Seconds(30));

  // Stops what runs and removes the directory.
  ~EmbeddedFleet() { Stop(); }

  // "unix:PATH".
  const std::string& address() const { return address_; }

  // Readable once the child has ended, which it should not. Borrowed.
  std::vector<int> pidfds() const;

  // Why the fleet no longer works, "hostd ended: killed by signal 9 (Killed)";
  // empty while it does.
  std::string WhatEnded();

  // Copies the children's logs to `dir`.
  void SaveLogs(const std::string& dir) const;

  // Asks hostd to stop, so that it ends its guests and cleans up, for at most
  // ten seconds; kills what is left and removes the directory. A second call
  // does nothing.
  void Stop();

  // The same, for at most two seconds a child. For a thread that ends the
  // process afterwards: the children are not reaped.
  void KillNow();

 private:
  struct Child {
    std::string name;
    Subprocess process;
  };

  explicit EmbeddedFleet(RunDirectory directory);
  absl::Status StartBoth(absl::Duration timeout);
  // Blocks: until the child says that it serves.
  absl::Status StartChild(std::optional<Child>& child, const std::string& name,
                          std::vector<std::string> args,
                          absl::Duration timeout);
  absl::Status AwaitReady(Child& child, int ready_fd, absl::Duration timeout);
  std::string LogPath(absl::string_view name) const;
  // " (last | lines)", or nothing.
  std::string EndOfLog(absl::string_view name) const;

  const RunDirectory directory_;
  const std::string address_;
  std::optional<Child> coordinator_;
  std::optional<Child> hostd_;

  absl::Mutex mutex_;
  // Duplicates of the children's pidfds, in order of their start.
  std::vector<UniqueFd> kill_fds_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::ktstrctl

#endif  // KTSTR_KTSTRCTL_EMBEDDED_FLEET_H_
