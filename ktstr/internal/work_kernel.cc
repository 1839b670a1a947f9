// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"
#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {
namespace {

constexpr int kMaxBlockMs = 100;
constexpr uint64_t kNsPerS = 1'000'000'000;
// Of the root user; reading or writing it runs refresh_vm_stats() on every CPU
// by schedule_on_each_cpu(). Source: mm/vmstat.c.
constexpr char kStatRefresh[] = "/proc/sys/vm/stat_refresh";

timespec ToTimespec(uint64_t ns) {
  return {.tv_sec = static_cast<time_t>(ns / kNsPerS),
          .tv_nsec = static_cast<long>(ns % kNsPerS)};
}

// Periodic timers in one epoll set. Times are those of CLOCK_MONOTONIC.
class TimerSet {
 public:
  absl::Status Start(const TimerStormParams& params, uint64_t now) {
    epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_) return absl::ErrnoToStatus(errno, "TimerStorm: epoll");
    period_ns_ = params.period.count();
    for (uint32_t i = 0; i < params.timers; ++i) {
      ABSL_RETURN_IF_ERROR(Add(now + period_ns_ * (i + 1) / params.timers));
    }
    return absl::OkStatus();
  }

  // When the next one is due.
  uint64_t NextNs() const {
    uint64_t next = timers_.front().due_ns;
    for (const Timer& timer : timers_) next = std::min(next, timer.due_ns);
    return next;
  }

  // Waits until some have expired, or 100 ms. Calls `expired` with when each of
  // them was due first; returns how often they expired.
  template <typename F>
  uint64_t Await(F expired) {
    epoll_event events[64];
    int ready =
        epoll_wait(epoll_.get(), events, std::size(events), kMaxBlockMs);
    uint64_t expirations = 0;
    for (int i = 0; i < ready; ++i) {
      Timer& timer = timers_[events[i].data.u32];
      uint64_t count = 0;
      if (read(timer.fd.get(), &count, sizeof(count)) != sizeof(count))
        continue;
      expired(timer.due_ns);
      timer.due_ns += count * period_ns_;
      expirations += count;
    }
    return expirations;
  }

 private:
  struct Timer {
    UniqueFd fd;
    uint64_t due_ns = 0;
  };

  absl::Status Add(uint64_t first_ns) {
    Timer timer{.fd = UniqueFd(timerfd_create(CLOCK_MONOTONIC,
                                              TFD_CLOEXEC | TFD_NONBLOCK)),
                .due_ns = first_ns};
    itimerspec times{.it_interval = ToTimespec(period_ns_),
                     .it_value = ToTimespec(first_ns)};
    epoll_event event{.events = EPOLLIN, .data = {}};
    event.data.u32 = static_cast<uint32_t>(timers_.size());
    if (!timer.fd ||
        timerfd_settime(timer.fd.get(), TFD_TIMER_ABSTIME, &times, nullptr) !=
            0 ||
        epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer.fd.get(), &event) != 0) {
      return absl::ErrnoToStatus(errno, "TimerStorm: timerfd");
    }
    timers_.push_back(std::move(timer));
    return absl::OkStatus();
  }

  UniqueFd epoll_;
  uint64_t period_ns_ = 0;
  std::vector<Timer> timers_;
};

}  // namespace

absl::Status TimerStormLoop(const TimerStormParams& params, StopFlag stop,
                            Telemetry& telemetry) {
  TimerSet timers;
  ABSL_RETURN_IF_ERROR(timers.Start(params, telemetry.NowNs()));
  while (!stop.is_set()) {
    const uint64_t begin = telemetry.NowNs();
    const uint64_t due = timers.NextNs();
    const uint64_t expirations = timers.Await([&](uint64_t due_ns) {
      const uint64_t now = telemetry.NowNs();
      telemetry.Woke(now > due_ns ? now - due_ns : 0);
    });
    // What came after the timer was due is not a wait the worker asked for.
    const uint64_t until = std::min(due, telemetry.NowNs());
    if (until > begin) telemetry.Blocked(until - begin);
    if (expirations > 0) telemetry.EndIteration(expirations);
  }
  return absl::OkStatus();
}

absl::Status WorkqueuePressureLoop(const WorkqueuePressureParams& params,
                                   StopFlag stop, Telemetry& telemetry) {
  UniqueFd refresh(open(kStatRefresh, O_WRONLY | O_CLOEXEC));
  if (!refresh) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("WorkqueuePressure: open ", kStatRefresh));
  }
  while (!stop.is_set()) {
    Spin(params.spin_iters);
    const uint64_t begin = telemetry.NowNs();
    if (pwrite(refresh.get(), "1", 1, 0) < 0 && errno != EINTR) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("WorkqueuePressure: write ", kStatRefresh));
    }
    const uint64_t waited = telemetry.NowNs() - begin;
    telemetry.Blocked(waited);
    telemetry.Woke(waited);
    telemetry.EndIteration(params.spin_iters);
  }
  return absl::OkStatus();
}

absl::Status RcuPressureLoop(StopFlag stop, Telemetry& telemetry) {
  while (!stop.is_set()) {
    const uint64_t begin = telemetry.NowNs();
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) {
      return absl::ErrnoToStatus(errno, "RcuPressure: membarrier");
    }
    const uint64_t waited = telemetry.NowNs() - begin;
    telemetry.Blocked(waited);
    telemetry.Woke(waited);
    telemetry.EndIteration(1);
  }
  return absl::OkStatus();
}

}  // namespace ktstr::internal
