// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_HOSTD_GUEST_SESSION_H_
#define KTSTR_HOSTD_GUEST_SESSION_H_

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "hostd/guest_record.h"
#include "proto/guest.grpc.pb.h"

namespace ktstr::hostd {

// Opens a stream to `port` of the guest behind vmm's socket `path`: writes
// "CONNECT <port>\n", reads "OK <number>\n", leaves every later byte unread.
// The result is non-blocking.
//
// Blocks: until vmm answers, `timeout` passes or `stop_fd` becomes readable.
// Errors: Unavailable with what vmm or the kernel answered, DeadlineExceeded,
//         Cancelled.
absl::StatusOr<UniqueFd> ConnectToGuest(const std::string& path, int port,
                                        absl::Duration timeout, int stop_fd);

// The host's side of one guest: connects to guestd, runs the test, powers off.
//
// Threads: one of its own; every method may be called from any thread.
// Trust:   a message of the guest has at most 2 MiB; what is kept of it is
//          bounded by GuestRecord.
class GuestSession {
 public:
  struct Options {
    std::string vsock_path;
    ktstr::v1::RunTestRequest request;
    // For the connection and for PowerOff; the stream has no limit of its own.
    absl::Duration call_timeout = absl::Seconds(10);
    Clock* clock = nullptr;
  };

  struct View {
    GuestRecord record;
    // When the last event arrived, on the clock's monotonic time.
    absl::Duration last_event;
    bool is_done = false;
    // Of the RunTest stream, or why it could not be opened.
    absl::Status status;
  };

  // Starts at once. Errors: the mapping of errno.
  static absl::StatusOr<std::unique_ptr<GuestSession>> Start(Options options);

  // Ends the session and waits for its thread (which waits for nothing else).
  ~GuestSession();

  // Readable after something changed; the reader drains it (eventfd).
  int event_fd() const { return event_fd_.get(); }

  // Phases, liveness and state without the logs; cheap.
  View Peek() const;
  // Everything, leaving nothing behind.
  View Take();

  // Ends the calls in flight; is_done follows.
  void Cancel();

 private:
  GuestSession(Options options, UniqueFd event_fd, UniqueFd stop_fd);
  void Run();
  absl::Status RunTest(ktstr::v1::Guest::Stub* stub);
  void PowerOff(ktstr::v1::Guest::Stub* stub);
  void Notify();

  const Options options_;
  const UniqueFd event_fd_;
  const UniqueFd stop_fd_;
  grpc::ClientContext test_context_;
  grpc::ClientContext power_off_context_;

  mutable absl::Mutex mutex_;
  View view_ ABSL_GUARDED_BY(mutex_);

  // Last: joined before anything it uses goes away.
  Thread thread_;
};

}  // namespace ktstr::hostd

#endif  // KTSTR_HOSTD_GUEST_SESSION_H_
