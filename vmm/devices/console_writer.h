// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_CONSOLE_WRITER_H_
#define KTSTR_VMM_DEVICES_CONSOLE_WRITER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "vmm/devices/event_loop.h"

namespace ktstr::vmm {

// Carries what the guest says on its console, by whichever device, to a
// descriptor, without ever making a vCPU wait: a slow reader of the console
// must not change how the scheduler under test behaves. What does not fit is
// dropped, newest first, and the reader sees "[console: N bytes lost]" on a
// line of its own at that place.
//
// Bytes are handed over at a newline, when kEagerBytes wait, or kLinger after
// the first; so a line costs two wake-ups of the loop, not one for each byte.
//
// Threads:  Append from any thread; Finish by the owner after the loop's Run
//           has returned.
// Lifetime: borrows the loop and the descriptor. The process ignores SIGPIPE.
//           For a pipe or terminal it is the only writer.
class ConsoleWriter {
 public:
  static constexpr size_t kMaxPendingBytes = 256 * 1024;
  static constexpr size_t kEagerBytes = 1024;
  static constexpr absl::Duration kLinger = absl::Milliseconds(5);

  // `fd` -1 discards everything. `on_first_byte` is called once, before the
  // first byte is taken, by whoever appends it.
  ConsoleWriter(EventLoop* loop, int fd,
                std::function<void()> on_first_byte = {})
      : loop_(loop), fd_(fd), on_first_byte_(std::move(on_first_byte)) {}
  ConsoleWriter(const ConsoleWriter&) = delete;
  ConsoleWriter& operator=(const ConsoleWriter&) = delete;
  ~ConsoleWriter();

  void Append(absl::string_view bytes);
  void Append(char byte) { Append(absl::string_view(&byte, 1)); }

  // Writes what still waits.
  //
  // Blocks: until the reader took it, at most `max_wait`.
  void Finish(absl::Duration max_wait);

 private:
  enum class Result { kDone, kWouldBlock, kGone };
  enum class Request { kNone, kLinger, kNow };

  Request AppendLocked(absl::string_view bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void MarkLossLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The loop's part.
  void StartLinger();
  void Drain();
  void WaitUntilWritable();
  bool Refill();
  Result WriteSome();

  EventLoop* const loop_;
  const int fd_;
  const std::function<void()> on_first_byte_;

  std::atomic<bool> saw_byte_ = false;

  // The loop's. Taken over from pending_, written up to sent_.
  std::string outgoing_;
  size_t sent_ = 0;
  bool is_watching_ = false;
  bool is_gone_ = false;
  EventLoop::TimerId linger_timer_ = 0;

  Mutex mutex_;
  std::string pending_ ABSL_GUARDED_BY(mutex_);
  uint64_t lost_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // What the loop was asked for since pending_ was last empty.
  Request requested_ ABSL_GUARDED_BY(mutex_) = Request::kNone;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_CONSOLE_WRITER_H_
