// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "ktstr/internal/seed.h"
#include "ktstr/internal/work_families.h"
#include "ktstr/internal/work_steps.h"

namespace ktstr::internal {
namespace {

constexpr uint32_t kTouches = 1024;
constexpr uint32_t kCacheLine = 64;

// Pages of 4 KiB that nobody else uses.
class Region {
 public:
  explicit Region(uint64_t size) : size_(size) {}
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() {
    if (memory_ != MAP_FAILED) munmap(memory_, size_);
  }

  absl::Status Map() {
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) {
      return absl::ErrnoToStatus(
          errno, absl::StrCat("PageFaultChurn: map ", size_ / 1024, " KiB"));
    }
    // A kernel without huge pages does not know the advice.
    madvise(memory_, size_, MADV_NOHUGEPAGE);
    return absl::OkStatus();
  }
  void Write(uint64_t offset) {
    static_cast<volatile unsigned char*>(memory_)[offset] = 1;
  }
  absl::Status Drop() {
    if (madvise(memory_, size_, MADV_DONTNEED) == 0) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, "PageFaultChurn: give pages back");
  }

 private:
  const uint64_t size_;
  void* memory_ = MAP_FAILED;
};

}  // namespace

absl::Status CachePressureLoop(const CacheParams& params, StopFlag stop,
                               Telemetry& telemetry) {
  CacheWalk walk(params.size_kb, params.stride);
  ABSL_RETURN_IF_ERROR(walk.status());
  while (!stop.is_set()) {
    walk.Touch(kTouches);
    telemetry.EndIteration(kTouches);
  }
  telemetry.NotePages();
  return absl::OkStatus();
}

absl::Status CacheYieldLoop(const CacheParams& params, StopFlag stop,
                            Telemetry& telemetry) {
  CacheWalk walk(params.size_kb, params.stride);
  ABSL_RETURN_IF_ERROR(walk.status());
  while (!stop.is_set()) {
    walk.Touch(kTouches);
    SampledYield(telemetry);
    telemetry.EndIteration(kTouches);
  }
  telemetry.NotePages();
  return absl::OkStatus();
}

absl::Status CachePipeLoop(const CachePipeParams& params,
                           const WorkerSeat& seat, StopFlag stop,
                           Telemetry& telemetry) {
  signal(SIGPIPE, SIG_IGN);
  CacheWalk walk(params.size_kb, kCacheLine);
  ABSL_RETURN_IF_ERROR(walk.status());
  while (!stop.is_set()) {
    walk.Touch(params.burst_iters);
    if (!ExchangeByte(seat, stop, telemetry)) break;
    telemetry.EndIteration(params.burst_iters);
  }
  telemetry.NotePages();
  return absl::OkStatus();
}

absl::Status PageFaultChurnLoop(const PageFaultChurnParams& params,
                                const WorkerSeat& seat, StopFlag stop,
                                Telemetry& telemetry) {
  constexpr uint64_t kPageBytes = 4096;
  const uint64_t pages =
      std::max<uint64_t>(1, uint64_t{params.region_kb} * 1024 / kPageBytes);
  Region region(pages * kPageBytes);
  ABSL_RETURN_IF_ERROR(region.Map());
  SeededStream random(seat.seed);
  while (!stop.is_set()) {
    for (uint32_t i = 0; i < params.touches_per_cycle; ++i) {
      region.Write(random.Below(pages) * kPageBytes);
    }
    if (stop.is_set()) telemetry.NotePages();
    ABSL_RETURN_IF_ERROR(region.Drop());
    Spin(params.spin_iters);
    telemetry.EndIteration(uint64_t{params.touches_per_cycle} +
                           params.spin_iters);
  }
  return absl::OkStatus();
}

}  // namespace ktstr::internal
