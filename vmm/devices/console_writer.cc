// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/console_writer.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace ktstr::vmm {
namespace {

// A pipe that polls writable takes this much without blocking (pipe_poll:
// at least one free page).
constexpr size_t kChunkBytes = 4096;
// Of one visit by the loop, so that other devices get their turn.
constexpr int kChunksPerVisit = 16;

}  // namespace

ConsoleWriter::~ConsoleWriter() {
  if (is_watching_) loop_->Unwatch(fd_);
  loop_->CancelTimer(linger_timer_);
}

void ConsoleWriter::Append(absl::string_view bytes) {
  if (bytes.empty()) return;
  // The plain read keeps the shared word out of the way of every later byte.
  if (!saw_byte_.load(std::memory_order_relaxed) && !saw_byte_.exchange(true) &&
      on_first_byte_) {
    on_first_byte_();
  }
  if (fd_ < 0) return;
  Request request;
  {
    MutexLock lock(&mutex_);
    request = AppendLocked(bytes);
  }
  if (request == Request::kNone) return;
  const absl::Status posted = request == Request::kNow
                                  ? loop_->Post([this] { Drain(); })
                                  : loop_->Post([this] { StartLinger(); });
  if (posted.ok()) return;
  // The loop is busy beyond measure: the next byte asks again.
  MutexLock lock(&mutex_);
  requested_ = Request::kNone;
}

ConsoleWriter::Request ConsoleWriter::AppendLocked(absl::string_view bytes) {
  MarkLossLocked();
  // The marker of a loss may have gone somewhat over the limit.
  size_t room = 0;
  if (lost_bytes_ == 0 && pending_.size() < kMaxPendingBytes) {
    room = kMaxPendingBytes - pending_.size();
  }
  const absl::string_view taken = bytes.substr(0, room);
  lost_bytes_ += bytes.size() - taken.size();
  if (taken.empty()) return Request::kNone;
  pending_.append(taken.data(), taken.size());
  const bool is_urgent =
      absl::StrContains(taken, '\n') || pending_.size() >= kEagerBytes;
  const Request wanted = is_urgent ? Request::kNow : Request::kLinger;
  if (wanted <= requested_) return Request::kNone;
  return requested_ = wanted;
}

// Once there is room again, says what is missing here.
void ConsoleWriter::MarkLossLocked() {
  constexpr size_t kRoomForMarker = 64;
  if (lost_bytes_ == 0) return;
  if (pending_.size() + kRoomForMarker > kMaxPendingBytes) return;
  absl::StrAppend(&pending_, "\n[console: ", lost_bytes_, " bytes lost]\n");
  lost_bytes_ = 0;
}

void ConsoleWriter::StartLinger() {
  if (linger_timer_ != 0) return;
  linger_timer_ = loop_->AddTimer(kLinger, [this] {
    linger_timer_ = 0;
    Drain();
  });
}

bool ConsoleWriter::Refill() {
  if (sent_ < outgoing_.size()) return true;
  outgoing_.clear();
  sent_ = 0;
  MutexLock lock(&mutex_);
  MarkLossLocked();
  outgoing_.swap(pending_);
  requested_ = Request::kNone;
  return !outgoing_.empty();
}

ConsoleWriter::Result ConsoleWriter::WriteSome() {
  const size_t size = std::min(kChunkBytes, outgoing_.size() - sent_);
  const char* const from = outgoing_.data() + sent_;
  ssize_t n = send(fd_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno == ENOTSOCK) {
    pollfd poll_fd{.fd = fd_, .events = POLLOUT, .revents = 0};
    if (poll(&poll_fd, 1, 0) == 0) return Result::kWouldBlock;
    n = write(fd_, from, size);
  }
  if (n > 0) {
    sent_ += n;
    return Result::kDone;
  }
  if (errno == EAGAIN || errno == EINTR) return Result::kWouldBlock;
  return Result::kGone;
}

void ConsoleWriter::Drain() {
  if (is_watching_) {
    loop_->Unwatch(fd_);
    is_watching_ = false;
  }
  for (int i = 0; Refill(); ++i) {
    if (is_gone_) {
      sent_ = outgoing_.size();
      continue;
    }
    if (i == kChunksPerVisit) return WaitUntilWritable();
    const Result result = WriteSome();
    if (result == Result::kWouldBlock) return WaitUntilWritable();
    if (result == Result::kGone) is_gone_ = true;
  }
}

void ConsoleWriter::WaitUntilWritable() {
  if (is_watching_) return;
  absl::Status watched =
      loop_->Watch(fd_, EPOLLOUT, [this](uint32_t) { Drain(); });
  is_watching_ = watched.ok();
  // A regular file is always ready.
  if (!watched.ok()) loop_->AddTimer(absl::ZeroDuration(), [this] { Drain(); });
}

void ConsoleWriter::Finish(absl::Duration max_wait) {
  if (fd_ < 0) return;
  const absl::Duration end = RealClock().Monotonic() + max_wait;
  while (!is_gone_ && Refill()) {
    const Result result = WriteSome();
    if (result == Result::kGone) is_gone_ = true;
    if (result != Result::kWouldBlock) continue;
    const absl::Duration left = end - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) return;
    pollfd poll_fd{.fd = fd_, .events = POLLOUT, .revents = 0};
    poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1);
  }
}

}  // namespace ktstr::vmm
