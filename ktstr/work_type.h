// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_KTSTR_WORK_TYPE_H_
#define KTSTR_KTSTR_WORK_TYPE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "ktstr/worker_report.h"

namespace ktstr {

// Whether a worker shall end. Reading it is all a custom body may do with it.
class StopFlag {
 public:
  explicit StopFlag(const std::atomic<bool>* flag) : flag_(flag) {}
  bool is_set() const { return flag_->load(std::memory_order_relaxed); }

 private:
  const std::atomic<bool>* flag_;
};

// Parameters. Sizes are in KiB, `…_iters` in spins: one spin is one unit of
// work.
struct BurstyParams {
  std::chrono::nanoseconds burst = std::chrono::milliseconds(50);
  std::chrono::nanoseconds sleep = std::chrono::milliseconds(100);
};
struct PipeIoParams {
  uint32_t burst_iters = 1024;
};
struct FutexPingPongParams {
  uint32_t spin_iters = 1024;
};
struct CacheParams {
  uint32_t size_kb = 32;
  uint32_t stride = 64;  // bytes
};
struct CachePipeParams {
  uint32_t size_kb = 32;
  uint32_t burst_iters = 1024;  // read-modify-writes
};
struct FutexFanOutParams {
  uint32_t fan_out = 4;  // receivers of one messenger
  uint32_t spin_iters = 1024;
};
struct FanOutComputeParams {
  uint32_t fan_out = 4;
  uint32_t cache_footprint_kb = 256;  // of three square matrices
  uint32_t operations = 5;            // matrix multiplications
  std::chrono::nanoseconds sleep = std::chrono::microseconds(100);
};
struct AffinityChurnParams {
  uint32_t spin_iters = 1024;
};
struct PolicyChurnParams {
  uint32_t spin_iters = 1024;
};
struct PageFaultChurnParams {
  uint32_t region_kb = 4096;
  uint32_t touches_per_cycle = 256;
  uint32_t spin_iters = 64;
};
struct MutexContentionParams {
  uint32_t contenders = 4;
  uint32_t hold_iters = 256;
  uint32_t work_iters = 1024;
};

struct TimerStormParams {
  uint32_t timers = 16;  // evenly apart
  std::chrono::nanoseconds period = std::chrono::milliseconds(1);  // of each
};
struct SocketPingPongParams {
  uint32_t spin_iters = 1024;
};
struct WorkqueuePressureParams {
  uint32_t spin_iters = 1024;
};

// One part of a Sequence. Spin, yield and io repeat until their time is over.
struct Phase {
  enum class Kind { kSpin, kSleep, kYield, kIo, kRun, kTimer, kLoop };

  static Phase spin(std::chrono::nanoseconds time) {
    return {Kind::kSpin, time};
  }
  static Phase sleep(std::chrono::nanoseconds time) {
    return {Kind::kSleep, time};
  }
  // One unit, then sched_yield.
  static Phase yield(std::chrono::nanoseconds time) {
    return {Kind::kYield, time};
  }
  // What one iteration of IoSync does.
  static Phase io(std::chrono::nanoseconds time) { return {Kind::kIo, time}; }
  // Spins until the thread has had `time` of CPU.
  static Phase run(std::chrono::nanoseconds time) { return {Kind::kRun, time}; }
  // Sleeps until a multiple of `period` after the first use of timer `id`; one
  // that is over already starts the timer anew and does not sleep.
  static Phase timer(std::chrono::nanoseconds period, uint32_t id = 0) {
    return {.kind = Kind::kTimer, .time = period, .id = id};
  }
  // `phases` in order, `count` times.
  static Phase loop(uint32_t count, std::vector<Phase> phases) {
    return {.kind = Kind::kLoop, .count = count, .phases = std::move(phases)};
  }

  Kind kind = Kind::kSpin;
  std::chrono::nanoseconds time{0};
  uint32_t id = 0;
  uint32_t count = 1;
  std::vector<Phase> phases = {};
};

// What one worker process does until it is told to stop. One line each here;
// units, wake samples and group sizes: docs/work-types.md.
struct WorkType {
  enum class Kind {
    kCpuSpin,
    kYieldHeavy,
    kMixed,
    kIoSync,
    kBursty,
    kPipeIo,
    kFutexPingPong,
    kCachePressure,
    kCacheYield,
    kCachePipe,
    kFutexFanOut,
    kFanOutCompute,
    kSequence,
    kForkExit,
    kNiceSweep,
    kAffinityChurn,
    kPolicyChurn,
    kPageFaultChurn,
    kMutexContention,
    kTimerStorm,
    kSocketPingPong,
    kWorkqueuePressure,
    kRcuPressure,
    kCustom,
  };
  // Owns its loop and its report; runs in the worker process. A plain function:
  // nothing captured crosses the fork.
  using CustomBody = WorkerReport (*)(StopFlag stop);

  // Never blocks.
  static WorkType cpu_spin();
  // Yields after every unit.
  static WorkType yield_heavy();
  // Spins, then yields.
  static WorkType mixed();
  // Writes 16 blocks of 4 KiB into a file of /tmp, then sleeps 100 us.
  static WorkType io_sync();
  // Spins for `burst`, then sleeps.
  static WorkType bursty(BurstyParams params = {});
  // Pairs: spin, send a byte to the partner, wait for its byte.
  static WorkType pipe_io(PipeIoParams params = {});
  // Pairs: spin, hand a token over, wait for it back.
  static WorkType futex_ping_pong(FutexPingPongParams params = {});
  // Strided read-modify-writes over a buffer.
  static WorkType cache_pressure(CacheParams params = {});
  // The same, then yields.
  static WorkType cache_yield(CacheParams params = {});
  // Pairs: the same, then exchange a byte.
  static WorkType cache_pipe(CachePipeParams params = {});
  // Groups: a messenger wakes `fan_out` receivers at once, again and again.
  static WorkType futex_fan_out(FutexFanOutParams params = {});
  // Groups: as above; each worker sleeps, then multiplies matrices.
  static WorkType fan_out_compute(FanOutComputeParams params = {});
  // The phases in order, over and over.
  static WorkType sequence(std::vector<Phase> phases);
  // Forks a child that exits and waits for it.
  static WorkType fork_exit();
  // Another nice value every 512 spins, from lowest to highest.
  static WorkType nice_sweep();
  // Pins itself to one random CPU after another.
  static WorkType affinity_churn(AffinityChurnParams params = {});
  // One scheduling policy after another.
  static WorkType policy_churn(PolicyChurnParams params = {});
  // Writes random pages of a region, then gives them back.
  static WorkType page_fault_churn(PageFaultChurnParams params = {});
  // Groups: spin, take the group's lock, hold it for a while.
  static WorkType mutex_contention(MutexContentionParams params = {});
  // Handles many periodic timers (timerfd, epoll).
  static WorkType timer_storm(TimerStormParams params = {});
  // Pairs: as pipe_io, over a socket pair and epoll.
  static WorkType socket_ping_pong(SocketPingPongParams params = {});
  // Has the kernel run a work item in a kworker of every CPU, and waits.
  static WorkType workqueue_pressure(WorkqueuePressureParams params = {});
  // Waits for one RCU grace period after another.
  static WorkType rcu_pressure();
  static WorkType custom(std::string name, CustomBody body);

  // A sequence from one task of an rt-app description: phases of run, sleep,
  // timer and loop, in docs/work-types.md. `task` may be empty when there is
  // only one.
  //
  // Errors: InvalidArgument naming task, phase and what is not understood.
  static absl::StatusOr<WorkType> from_rt_app(absl::string_view json,
                                              absl::string_view task = "");

  // The type called `name` ("CpuSpin") with default parameters.
  //
  // Errors: InvalidArgument with the spelling that was probably meant, or with
  // every name. Sequence needs phases and a custom type its function: neither
  // can be had by name.
  static absl::StatusOr<WorkType> ByName(absl::string_view name);
  // Every name that ByName() takes.
  static std::vector<std::string> Names();

  // Worker counts must be a multiple of this.
  int group_size() const;
  // Whether partners talk through descriptors.
  bool needs_channel() const {
    return kind == Kind::kPipeIo || kind == Kind::kCachePipe ||
           kind == Kind::kSocketPingPong;
  }
  // "CpuSpin"; the given name of a custom one.
  std::string name() const;
  // InvalidArgument naming the parameter, its value and what is accepted.
  absl::Status Validate() const;

  Kind kind = Kind::kCpuSpin;
  // Those of the kind; nothing for a kind without parameters.
  std::variant<std::monostate, BurstyParams, PipeIoParams, FutexPingPongParams,
               CacheParams, CachePipeParams, FutexFanOutParams,
               FanOutComputeParams, std::vector<Phase>, AffinityChurnParams,
               PolicyChurnParams, PageFaultChurnParams, MutexContentionParams,
               TimerStormParams, SocketPingPongParams, WorkqueuePressureParams>
      params;
  std::string custom_name;
  CustomBody custom_body = nullptr;
};

}  // namespace ktstr

#endif  // KTSTR_KTSTR_WORK_TYPE_H_
