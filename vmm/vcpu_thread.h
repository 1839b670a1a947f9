// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_VCPU_THREAD_H_
#define KTSTR_VMM_VCPU_THREAD_H_

#include <sys/types.h>

#include <atomic>
#include <latch>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "model/performance_spec.h"
#include "vmm/devices/bus.h"
#include "vmm/end_latch.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/memory/guest_memory.h"
#include "vmm/report.h"
#include "vmm/sandbox.h"

namespace ktstr::vmm {

// What the vCPUs of one machine share.
//
// Lifetime: everything pointed to outlives the threads.
struct VcpuContext {
  const Bus* ports;
  const Bus* mmio;
  const GuestMemory* memory;
  EndLatch* end;
  Report* report;
  // No guest instruction runs before.
  std::latch* go;
  // Null: the threads are not confined.
  const Sandbox* sandbox;
  // Null: the threads run wherever the host puts them.
  const PerformanceSpec* performance;
  // Whether "first-io" was reported; keeps the report's lock off the exit path.
  std::atomic<bool>* saw_io;
};

// One vCPU and the thread that runs it: enter the guest, hand its accesses to
// the buses, until the machine ends.
//
// Trust:   hostile from the first instruction: every exit is either a bus
//          access or an end of the machine, never an abort of this process.
// Threads: constructed, stopped and destroyed by the owner.
class VcpuThread {
 public:
  // The signal of Kick(). InstallKickHandler() once per process before.
  static void InstallKickHandler();

  VcpuThread(int cpu, std::unique_ptr<Vcpu> vcpu, const VcpuContext& context);
  ~VcpuThread() { Join(); }

  // Of the running thread.
  // Blocks: until the thread has started and is confined.
  pid_t tid();

  // Makes the thread look at the latch, wherever it is: waiting, in the guest,
  // or on the way there (see Vcpu::RequestExit).
  // REQUIRES: the latch is set; a kick without an end is not withdrawn.
  void Kick();

  // Blocks: until the thread has seen the end of the machine.
  void Join();

  // REQUIRES: joined, or not yet let go.
  Vcpu& vcpu() { return *vcpu_; }

 private:
  void Body();
  // Handles the exit the vCPU just made.
  void Dispatch();
  void ReportFirstIo();
  void DispatchPort();
  void DispatchMmio();
  void DispatchSystemEvent();
  void End(MachineEnd end, absl::string_view what);

  // Constant after construction.
  const int cpu_;
  const std::unique_ptr<Vcpu> vcpu_;
  const VcpuContext context_;

  // Counted down when tid_ is known.
  std::latch started_{1};
  // Guards the thread's identity, so that no signal hits a recycled id.
  Mutex mutex_;
  pid_t tid_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_running_ ABSL_GUARDED_BY(mutex_) = false;

  // Last, so that it is joined before what it uses goes away.
  Thread thread_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_VCPU_THREAD_H_
