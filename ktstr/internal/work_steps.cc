// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "ktstr/internal/work_steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ktstr::internal {
namespace {

constexpr uint64_t kMaxBlockNs = 100'000'000;
constexpr int kMaxBlockMs = 100;
constexpr int kBlockBytes = 4096;

timespec ToTimespec(uint64_t ns) {
  return {.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

// A byte written or read, or there is nothing more to come.
enum class Transfer { kDone, kNotYet, kGone };

Transfer ResultOf(ssize_t moved) {
  if (moved == 1) return Transfer::kDone;
  bool again = moved < 0 && (errno == EAGAIN || errno == EINTR);
  return again ? Transfer::kNotYet : Transfer::kGone;
}

// Until `fd` is ready, the limit is over or a signal came.
void PollFor(int fd, short events) {
  pollfd event{.fd = fd, .events = events, .revents = 0};
  poll(&event, 1, kMaxBlockMs);
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

void Sleep(uint64_t ns, StopFlag stop, Telemetry& telemetry,
           Sampling sampling) {
  uint64_t begin = telemetry.NowNs();
  uint64_t end = begin + ns;
  uint64_t now = begin;
  while (!stop.is_set() && now < end) {
    timespec piece = ToTimespec(std::min(end - now, kMaxBlockNs));
    nanosleep(&piece, nullptr);
    now = telemetry.NowNs();
  }
  telemetry.Blocked(std::min(now - begin, ns));
  if (now >= end && sampling == Sampling::kOn) telemetry.Woke(now - begin);
}

void SampledYield(Telemetry& telemetry) {
  uint64_t begin = telemetry.NowNs();
  sched_yield();
  telemetry.Woke(telemetry.NowNs() - begin);
}

void FutexWait(std::atomic<uint32_t>* word, uint32_t value) {
  static_assert(sizeof(*word) == sizeof(uint32_t));
  const timespec limit = ToTimespec(kMaxBlockNs);
  syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>* word, int waiters) {
  syscall(SYS_futex, word, FUTEX_WAKE, waiters, nullptr, nullptr, 0);
}

uint64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<uint64_t>(now.tv_nsec);
}

bool ExchangeByte(const WorkerSeat& seat, StopFlag stop, Telemetry& telemetry,
                  int epoll_fd) {
  char byte = 'b';
  Transfer sent = Transfer::kNotYet;
  while (sent == Transfer::kNotYet && !stop.is_set()) {
    sent = ResultOf(write(seat.write_fd, &byte, 1));
    if (sent == Transfer::kNotYet) PollFor(seat.write_fd, POLLOUT);
  }
  if (stop.is_set()) return false;
  Transfer received = ResultOf(read(seat.read_fd, &byte, 1));
  if (received == Transfer::kDone) return true;
  const uint64_t begin = telemetry.NowNs();
  while (received != Transfer::kDone && !stop.is_set()) {
    if (received == Transfer::kGone) {
      poll(nullptr, 0, kMaxBlockMs);
    } else {
      if (epoll_fd >= 0) {
        epoll_event event{};
        epoll_wait(epoll_fd, &event, 1, kMaxBlockMs);
      } else {
        PollFor(seat.read_fd, POLLIN);
      }
      received = ResultOf(read(seat.read_fd, &byte, 1));
    }
  }
  const uint64_t waited = telemetry.NowNs() - begin;
  telemetry.Blocked(waited);
  if (received == Transfer::kDone) telemetry.Woke(waited);
  return received == Transfer::kDone;
}

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status ScratchFile::Rewrite() {
  auto error = [&](const char* what) {
    return absl::ErrnoToStatus(errno, absl::StrCat(owner_, ": ", what));
  };
  if (fd_ < 0) {
    char path[] = "/tmp/ktstr-io-XXXXXX";
    fd_ = mkostemp(path, O_CLOEXEC);
    if (fd_ < 0) return error("create file in /tmp");
    unlink(path);
  }
  if (ftruncate(fd_, 0) != 0) return error("truncate file");
  static constexpr char kBlock[kBlockBytes] = {};
  for (int i = 0; i < kBlocks; ++i) {
    off_t offset = static_cast<off_t>(i) * kBlockBytes;
    if (pwrite(fd_, kBlock, sizeof(kBlock), offset) < 0 && errno != EINTR) {
      return error("write file");
    }
  }
  return absl::OkStatus();
}

CacheWalk::CacheWalk(uint32_t size_kb, uint32_t stride)
    : size_(uint64_t{size_kb} * 1024), stride_(stride) {
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory != MAP_FAILED) buffer_ = static_cast<unsigned char*>(memory);
}

CacheWalk::~CacheWalk() {
  if (buffer_ != nullptr) {
    munmap(const_cast<unsigned char*>(buffer_), size_);
  }
}

absl::Status CacheWalk::status() const {
  if (buffer_ != nullptr) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("map a buffer of ", size_ / 1024, " KiB"));
}

void CacheWalk::Touch(uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    buffer_[position_] = buffer_[position_] + 1;
    position_ += stride_;
    // A stride that does not divide the size walks every offset in time.
    if (position_ >= size_) position_ %= size_;
  }
}

}  // namespace ktstr::internal
