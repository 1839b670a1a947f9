// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/work_loops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/unique_fd.h"

namespace ktstr::internal {
namespace {

constexpr uint32_t kSpinsPerIteration = 1024;
constexpr uint64_t kMaxBlockNs = 100'000'000;
constexpr uint64_t kIoSleepNs = 100'000;
constexpr int kIoBlocks = 16;
constexpr int kIoBlockBytes = 4096;

timespec ToTimespec(uint64_t ns) {
  return {.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

// Sleeps `ns` in pieces; the part asked for is blocking, what came on top is
// the time until this worker ran again. A sleep cut short by stop is no sample.
void Sleep(uint64_t ns, StopFlag stop, Telemetry& telemetry) {
  uint64_t begin = telemetry.NowNs();
  uint64_t end = begin + ns;
  uint64_t now = begin;
  while (!stop.is_set() && now < end) {
    timespec piece = ToTimespec(std::min(end - now, kMaxBlockNs));
    nanosleep(&piece, nullptr);
    now = telemetry.NowNs();
  }
  telemetry.Blocked(std::min(now - begin, ns));
  if (now >= end) telemetry.Woke(now - begin);
}

void SpinLoop(StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    Spin(kSpinsPerIteration);
    telemetry.EndIteration(kSpinsPerIteration);
  }
}

void YieldLoop(uint32_t spins, StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    Spin(spins);
    sched_yield();
    telemetry.EndIteration(spins);
  }
}

void BurstyLoop(const BurstyParams& params, StopFlag stop,
                Telemetry& telemetry) {
  while (!stop.is_set()) {
    uint64_t end = telemetry.NowNs() + params.burst.count();
    do {
      Spin(kSpinsPerIteration);
      telemetry.EndIteration(kSpinsPerIteration);
    } while (!stop.is_set() && telemetry.NowNs() < end);
    if (stop.is_set()) return;
    Sleep(params.sleep.count(), stop, telemetry);
  }
}

int Futex(std::atomic<uint32_t>* word, int op, uint32_t value,
          const timespec* timeout) {
  static_assert(sizeof(*word) == sizeof(uint32_t));
  return syscall(SYS_futex, word, op, value, timeout, nullptr, 0);
}

// Waits until the token is `mine`; false when stop came first.
bool AwaitToken(std::atomic<uint32_t>* token, uint32_t mine, StopFlag stop,
                Telemetry& telemetry) {
  if (token->load(std::memory_order_acquire) == mine) return true;
  const timespec limit = ToTimespec(kMaxBlockNs);
  uint64_t begin = telemetry.NowNs();
  bool has_token = false;
  while (!stop.is_set() && !has_token) {
    Futex(token, FUTEX_WAIT, 1 - mine, &limit);
    has_token = token->load(std::memory_order_acquire) == mine;
  }
  uint64_t waited = telemetry.NowNs() - begin;
  telemetry.Blocked(waited);
  if (has_token) telemetry.Woke(waited);
  return has_token;
}

void FutexPingPongLoop(const FutexPingPongParams& params,
                       const WorkerSeat& seat, StopFlag stop,
                       Telemetry& telemetry) {
  const uint32_t mine = seat.index % 2;
  while (!stop.is_set()) {
    if (!AwaitToken(seat.group_word, mine, stop, telemetry)) return;
    Spin(params.spin_iters);
    seat.group_word->store(1 - mine, std::memory_order_release);
    Futex(seat.group_word, FUTEX_WAKE, 1, nullptr);
    telemetry.EndIteration(params.spin_iters);
  }
}

absl::Status IoSyncLoop(StopFlag stop, Telemetry& telemetry) {
  char path[] = "/tmp/ktstr-io-XXXXXX";
  UniqueFd file(mkostemp(path, O_CLOEXEC));
  if (!file) return absl::ErrnoToStatus(errno, "IoSync: create file in /tmp");
  unlink(path);
  const char block[kIoBlockBytes] = {};
  while (!stop.is_set()) {
    if (ftruncate(file.get(), 0) != 0) {
      return absl::ErrnoToStatus(errno, "IoSync: truncate file");
    }
    for (int i = 0; i < kIoBlocks; ++i) {
      off_t offset = static_cast<off_t>(i) * kIoBlockBytes;
      if (pwrite(file.get(), block, sizeof(block), offset) < 0 &&
          errno != EINTR) {
        return absl::ErrnoToStatus(errno, "IoSync: write file");
      }
    }
    Sleep(kIoSleepNs, stop, telemetry);
    telemetry.EndIteration(kIoBlocks);
  }
  return absl::OkStatus();
}

absl::Status ForkExitLoop(StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    uint64_t begin = telemetry.NowNs();
    pid_t child = fork();
    if (child < 0) return absl::ErrnoToStatus(errno, "ForkExit: fork");
    if (child == 0) _exit(0);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    telemetry.Woke(telemetry.NowNs() - begin);
    telemetry.EndIteration(1);
  }
  return absl::OkStatus();
}

}  // namespace

void Spin(uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
    asm volatile("" : "+r"(i) : : "memory");
  }
}

absl::Status RunWorkLoop(const WorkType& type, const WorkerSeat& seat,
                         StopFlag stop, Telemetry& telemetry) {
  switch (type.kind) {
    case WorkType::Kind::kCpuSpin:
      SpinLoop(stop, telemetry);
      return absl::OkStatus();
    case WorkType::Kind::kYieldHeavy:
      YieldLoop(1, stop, telemetry);
      return absl::OkStatus();
    case WorkType::Kind::kMixed:
      YieldLoop(kSpinsPerIteration, stop, telemetry);
      return absl::OkStatus();
    case WorkType::Kind::kBursty:
      BurstyLoop(type.bursty_params, stop, telemetry);
      return absl::OkStatus();
    case WorkType::Kind::kFutexPingPong:
      FutexPingPongLoop(type.futex_params, seat, stop, telemetry);
      return absl::OkStatus();
    case WorkType::Kind::kIoSync:
      return IoSyncLoop(stop, telemetry);
    case WorkType::Kind::kForkExit:
      return ForkExitLoop(stop, telemetry);
    case WorkType::Kind::kCustom:
      return absl::InternalError("a custom body has no loop here");
  }
  return absl::InternalError("unknown work type");
}

}  // namespace ktstr::internal
