// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_SHELL_SESSION_H_
#define KTSTR_HOSTD_SHELL_SESSION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "proto/guest.grpc.pb.h"

namespace ktstr::hostd {

// The host's side of one shell: connects to guestd, starts the shell, hands its
// output on, and powers off after its end.
//
// Threads: one of its own ("shell-out"), on which `on_output` runs; every
//          method may be called from any thread.
// Trust:   a message of the guest has at most 2 MiB and is handed on as it is;
//          only one is in memory at a time.
class ShellSession {
 public:
  struct Options {
    std::string vsock_path;
    ktstr::v1::ShellStart start;
    // For the connection and for PowerOff; the shell has no limit.
    absl::Duration call_timeout = absl::Seconds(10);
    // Gets `started`, `out`, `err` and at last `end` of a shell that ended by
    // itself; may block, which stops the guest's output.
    std::function<void(const ktstr::v1::ShellOutput&)> on_output;
  };

  // Starts at once. Errors: the mapping of errno.
  static absl::StatusOr<std::unique_ptr<ShellSession>> Start(Options options);

  // Ends the session and waits for its thread.
  ~ShellSession();

  // Readable once the session is over (eventfd, stays so).
  int over_fd() const { return over_fd_.get(); }
  // How it ended; OK when the shell came to its end.
  absl::Status status() const;

  // Hands one message to the guest. False when the session is over.
  //
  // Blocks: until the shell was started, and while the guest does not read.
  //         The end of the session ends that.
  bool Send(const ktstr::v1::ShellInput& input);

  // Ends the calls in flight.
  void Cancel();

 private:
  using Stream =
      grpc::ClientReaderWriter<ktstr::v1::ShellInput, ktstr::v1::ShellOutput>;
  enum class State { kConnecting, kOpen, kClosed };

  ShellSession(Options options, UniqueFd over_fd, UniqueFd stop_fd);
  void Run();
  absl::Status Converse(ktstr::v1::Guest::Stub* stub);
  // From here on Send() writes nothing.
  void CloseInput();
  void PowerOff(ktstr::v1::Guest::Stub* stub);

  const Options options_;
  const UniqueFd over_fd_;
  const UniqueFd stop_fd_;
  grpc::ClientContext context_;
  grpc::ClientContext power_off_context_;

  mutable absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kConnecting;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Set before kOpen; written to by the one thread that set is_writing_.
  Stream* stream_ = nullptr;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);

  // Last: joined before anything it uses goes away.
  Thread thread_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_SHELL_SESSION_H_
