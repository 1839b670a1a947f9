// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/unique_fd.h"
#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {
namespace {

constexpr uint32_t kMessengerSpins = 256;

// Waits until the token is `mine`; false when stop came first.
bool AwaitToken(std::atomic<uint32_t>* token, uint32_t mine, StopFlag stop,
                Telemetry& telemetry) {
  if (token->load(std::memory_order_acquire) == mine) return true;
  uint64_t begin = telemetry.NowNs();
  bool has_token = false;
  while (!stop.is_set() && !has_token) {
    FutexWait(token, 1 - mine);
    has_token = token->load(std::memory_order_acquire) == mine;
  }
  uint64_t waited = telemetry.NowNs() - begin;
  telemetry.Blocked(waited);
  if (has_token) telemetry.Woke(waited);
  return has_token;
}

// The next generation, seen by whoever waits. The futex word is written after
// it, and a waiter reads them the other way round: it cannot miss one.
void Announce(GroupWords& group, uint32_t receivers) {
  uint64_t next = group.generation.load(std::memory_order_relaxed) + 1;
  group.generation.store(next, std::memory_order_release);
  group.futex.store(static_cast<uint32_t>(next), std::memory_order_release);
  FutexWake(&group.futex, static_cast<int>(receivers));
}

struct Awaited {
  uint64_t generation = 0;
  // When the wait began; 0 when there was none.
  uint64_t wait_begin_ns = 0;
};

// Waits until the generation is another than `seen`; it is still `seen` when
// stop came first.
Awaited AwaitGeneration(GroupWords& group, uint64_t seen, StopFlag stop,
                        Telemetry& telemetry) {
  Awaited result{.generation =
                     group.generation.load(std::memory_order_acquire)};
  if (result.generation != seen) return result;
  result.wait_begin_ns = telemetry.NowNs();
  while (!stop.is_set() && result.generation == seen) {
    uint32_t word = group.futex.load(std::memory_order_acquire);
    if (group.generation.load(std::memory_order_acquire) == seen) {
      FutexWait(&group.futex, word);
    }
    result.generation = group.generation.load(std::memory_order_acquire);
  }
  telemetry.Blocked(telemetry.NowNs() - result.wait_begin_ns);
  return result;
}

// When the latest generation was announced. A slot is written again only after
// the generation in between was seen to come.
uint64_t LatestAnnouncement(const GroupWords& group) {
  uint64_t before = group.generation.load(std::memory_order_acquire);
  for (;;) {
    uint64_t at =
        group.announced_ns[before % 2].load(std::memory_order_acquire);
    uint64_t after = group.generation.load(std::memory_order_acquire);
    if (after == before) return at;
    before = after;
  }
}

// Three square matrices of u64 that fill `kb`.
class Matrices {
 public:
  explicit Matrices(uint32_t kb)
      : n_(std::max<size_t>(
            1, static_cast<size_t>(std::sqrt(uint64_t{kb} * 1024 / 3 / 8)))),
        a_(n_ * n_, 3),
        b_(n_ * n_, 5),
        c_(n_ * n_) {}

  __attribute__((noinline)) void Multiply() {
    for (size_t row = 0; row < n_; ++row) {
      for (size_t column = 0; column < n_; ++column) {
        uint64_t sum = 0;
        for (size_t i = 0; i < n_; ++i) {
          sum += a_[row * n_ + i] * b_[i * n_ + column];
        }
        c_[row * n_ + column] = sum;
      }
    }
    // The product is used, as far as the compiler knows.
    asm volatile("" : : "r"(c_.data()) : "memory");
  }

 private:
  const size_t n_;
  std::vector<uint64_t> a_, b_, c_;
};

void ComputeLoop(const FanOutComputeParams& params, GroupWords& group,
                 StopFlag stop, Telemetry& telemetry) {
  Matrices matrices(params.cache_footprint_kb);
  uint64_t seen = group.generation.load(std::memory_order_acquire);
  while (!stop.is_set()) {
    Awaited awaited = AwaitGeneration(group, seen, stop, telemetry);
    if (awaited.generation == seen) break;
    // Of several messages the first one woke this worker, and it came just
    // after the wait began: the messenger does not pause.
    bool missed_some = awaited.generation - seen > 1;
    uint64_t woken_at = missed_some && awaited.wait_begin_ns != 0
                            ? awaited.wait_begin_ns
                            : LatestAnnouncement(group);
    uint64_t now = telemetry.NowNs();
    telemetry.Woke(now > woken_at ? now - woken_at : 0);
    seen = awaited.generation;
    Sleep(params.sleep.count(), stop, telemetry, Sampling::kOff);
    uint32_t done = 0;
    for (; done < params.operations && !stop.is_set(); ++done) {
      matrices.Multiply();
      telemetry.Progress(1);
    }
    if (done == params.operations) telemetry.EndIteration(0);
  }
  telemetry.NotePages();
}

}  // namespace

void PipeIoLoop(const PipeIoParams& params, const WorkerSeat& seat,
                StopFlag stop, Telemetry& telemetry) {
  signal(SIGPIPE, SIG_IGN);
  while (!stop.is_set()) {
    Spin(params.burst_iters);
    if (!ExchangeByte(seat, stop, telemetry)) return;
    telemetry.EndIteration(params.burst_iters);
  }
}

absl::Status SocketPingPongLoop(const SocketPingPongParams& params,
                                const WorkerSeat& seat, StopFlag stop,
                                Telemetry& telemetry) {
  signal(SIGPIPE, SIG_IGN);
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (!epoll ||
      epoll_ctl(epoll.get(), EPOLL_CTL_ADD, seat.read_fd, &readable) != 0) {
    return absl::ErrnoToStatus(errno, "SocketPingPong: epoll");
  }
  while (!stop.is_set()) {
    Spin(params.spin_iters);
    if (!ExchangeByte(seat, stop, telemetry, epoll.get())) break;
    telemetry.EndIteration(params.spin_iters);
  }
  return absl::OkStatus();
}

void FutexPingPongLoop(const FutexPingPongParams& params,
                       const WorkerSeat& seat, StopFlag stop,
                       Telemetry& telemetry) {
  const uint32_t mine = seat.place;
  std::atomic<uint32_t>* token = &seat.group->futex;
  while (!stop.is_set()) {
    if (!AwaitToken(token, mine, stop, telemetry)) return;
    Spin(params.spin_iters);
    token->store(1 - mine, std::memory_order_release);
    FutexWake(token, 1);
    telemetry.EndIteration(params.spin_iters);
  }
}

void FutexFanOutLoop(const FutexFanOutParams& params, const WorkerSeat& seat,
                     StopFlag stop, Telemetry& telemetry) {
  GroupWords& group = *seat.group;
  if (seat.place == 0) {
    while (!stop.is_set()) {
      Spin(params.spin_iters);
      Announce(group, params.fan_out);
      Spin(kMessengerSpins);
      telemetry.EndIteration(uint64_t{params.spin_iters} + kMessengerSpins);
    }
    return;
  }
  uint64_t seen = group.generation.load(std::memory_order_acquire);
  while (!stop.is_set()) {
    Spin(params.spin_iters);
    Awaited awaited = AwaitGeneration(group, seen, stop, telemetry);
    if (awaited.generation == seen) return;
    if (awaited.wait_begin_ns != 0) {
      telemetry.Woke(telemetry.NowNs() - awaited.wait_begin_ns);
    }
    seen = awaited.generation;
    telemetry.EndIteration(params.spin_iters);
  }
}

void FanOutComputeLoop(const FanOutComputeParams& params,
                       const WorkerSeat& seat, StopFlag stop,
                       Telemetry& telemetry) {
  GroupWords& group = *seat.group;
  if (seat.place != 0) return ComputeLoop(params, group, stop, telemetry);
  while (!stop.is_set()) {
    uint64_t next = group.generation.load(std::memory_order_relaxed) + 1;
    group.announced_ns[next % 2].store(telemetry.NowNs(),
                                       std::memory_order_relaxed);
    Announce(group, params.fan_out);
    Spin(kMessengerSpins);
    telemetry.EndIteration(kMessengerSpins);
  }
}

void MutexContentionLoop(const MutexContentionParams& params,
                         const WorkerSeat& seat, StopFlag stop,
                         Telemetry& telemetry) {
  std::atomic<uint32_t>* lock = &seat.group->futex;
  while (!stop.is_set()) {
    Spin(params.work_iters);
    uint32_t is_free = 0;
    while (
        !lock->compare_exchange_strong(is_free, 1, std::memory_order_acquire)) {
      if (stop.is_set()) return;
      uint64_t begin = telemetry.NowNs();
      FutexWait(lock, 1);
      uint64_t waited = telemetry.NowNs() - begin;
      telemetry.Blocked(waited);
      telemetry.Woke(waited);
      is_free = 0;
    }
    Spin(params.hold_iters);
    lock->store(0, std::memory_order_release);
    FutexWake(lock, 1);
    telemetry.EndIteration(uint64_t{params.work_iters} + params.hold_iters);
  }
}

}  // namespace ktstr::internal
