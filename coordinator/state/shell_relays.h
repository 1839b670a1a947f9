// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_COORDINATOR_STATE_SHELL_RELAYS_H_
#define KTSTR_COORDINATOR_STATE_SHELL_RELAYS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "proto/shell.pb.h"

namespace ktstr::coordinator {

// One direction's receiver: a stream that belongs to one handler and is written
// to by the other one's thread.
//
// Threads: any; one writes at a time.
template <typename Message>
class RelaySink {
 public:
  // False when the stream is over.
  using Write = std::function<bool(const Message&)>;

  void Open(Write write) {
    MutexLock lock(&mutex_);
    write_ = std::move(write);
    is_open_ = true;
  }

  // Hands the message to the stream's owner. False when there is none.
  //
  // Blocks: while the stream's reader does not read.
  bool Send(const Message& message) {
    {
      MutexLock lock(&mutex_);
      mutex_.Await([this]()
                       ABSL_NO_THREAD_SAFETY_ANALYSIS { return !is_writing_; });
      if (!is_open_) return false;
      is_writing_ = true;
    }
    bool is_written = write_(message);
    MutexLock lock(&mutex_);
    is_writing_ = false;
    return is_written;
  }

  // No write happens from here on.
  //
  // Blocks: until a write that is under way returns; the owner makes it.
  void Close() {
    MutexLock lock(&mutex_);
    is_open_ = false;
    mutex_.Await([this]()
                     ABSL_NO_THREAD_SAFETY_ANALYSIS { return !is_writing_; });
  }

 private:
  Mutex mutex_;
  bool is_open_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  // Set before is_open_; called by the one thread that set is_writing_.
  Write write_;
};

// A client's stream joined with a host's. Nothing is buffered: each handler
// reads its own stream and writes what it read to the other one, so that
// whoever is slow slows the other side down.
//
// Threads: the client's handler calls the client's half, the host's handler
//          the host's.
class ShellRelay {
 public:
  // Ends the stream of a handler; for any thread.
  using Cancel = std::function<void()>;

  // The client's half: its stream, before a host can know of the shell.
  void OpenClient(RelaySink<v1::ShellOutput>::Write write, Cancel cancel);

  // Which host was told.
  void SetHost(std::string host_id);

  // Errors:
  //   Unavailable  the host did not attach within `timeout`; it no longer can.
  //                Or Stop() was called.
  absl::Status AwaitHost(absl::Duration timeout);

  bool SendToHost(const v1::ShellInput& input) { return host_.Send(input); }

  // The client is gone, or has seen the end. An unfinished shell's host is
  // told by its stream's end.
  //
  // Blocks: until the host's thread no longer writes to the client.
  void CloseClient();

  // The host's half.
  //
  // Blocks: until SetHost().
  // Errors: NotFound when the client no longer waits, or another has attached.
  absl::Status OpenHost(RelaySink<v1::ShellInput>::Write write, Cancel cancel);

  // REQUIRES: OpenHost() succeeded.
  std::string host_id();

  // What comes behind an end is dropped.
  void SendToClient(const v1::ShellOutput& output);

  // The host is gone; a client that has not seen the end gets one.
  void CloseHost();

  // Ends both streams, and AwaitHost().
  void Stop();

 private:
  enum class State { kWaiting, kAttached, kAbandoned };

  RelaySink<v1::ShellOutput> client_;
  RelaySink<v1::ShellInput> host_;

  Mutex mutex_;
  std::string host_id_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_) = State::kWaiting;
  bool has_ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Empty before and after the life of the stream.
  Cancel cancel_client_ ABSL_GUARDED_BY(mutex_);
  Cancel cancel_host_ ABSL_GUARDED_BY(mutex_);
};

// The relays of all shells, by token.
//
// Threads: any.
class ShellRelays {
 public:
  // Errors: Unavailable after Stop().
  absl::StatusOr<std::shared_ptr<ShellRelay>> Add(const std::string& token);
  // Null when there is none.
  std::shared_ptr<ShellRelay> Find(const std::string& token);
  void Remove(const std::string& token);

  // Stops all there are and will be.
  void Stop();

 private:
  Mutex mutex_;
  bool is_stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::shared_ptr<ShellRelay>> relays_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::coordinator

#endif  // KTSTR_COORDINATOR_STATE_SHELL_RELAYS_H_
