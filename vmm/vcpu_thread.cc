// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/vcpu_thread.h"

#include <linux/kvm.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "vmm/arch/x86_64/vcpu_state.h"
#include "vmm/kvm/exit_text.h"
#include "vmm/performance.h"

namespace ktstr::vmm {
namespace {

int KickSignal() { return SIGRTMIN; }

}  // namespace

void VcpuThread::InstallKickHandler() {
  // It only has to interrupt KVM_RUN; hence no SA_RESTART.
  struct sigaction action = {};
  action.sa_handler = +[](int) {};
  sigaction(KickSignal(), &action, nullptr);
}

VcpuThread::VcpuThread(int cpu, std::unique_ptr<Vcpu> vcpu,
                       const VcpuContext& context)
    : cpu_(cpu),
      vcpu_(std::move(vcpu)),
      context_(context),
      thread_(absl::StrCat("cpu", cpu), [this] { Body(); }) {}

pid_t VcpuThread::tid() {
  started_.wait();
  MutexLock lock(&mutex_);
  return tid_;
}

void VcpuThread::Kick() {
  vcpu_->RequestExit();
  MutexLock lock(&mutex_);
  if (is_running_) syscall(SYS_tgkill, getpid(), tid_, KickSignal());
}

void VcpuThread::Join() { thread_.Join(); }

void VcpuThread::Body() {
  {
    MutexLock lock(&mutex_);
    tid_ = pid_t(syscall(SYS_gettid));
    is_running_ = true;
  }
  if (context_.performance != nullptr) {
    absl::Status status =
        ClaimCpu(context_.performance->vcpu_cpus[cpu_], kVcpuFifoPriority);
    if (!status.ok()) {
      context_.end->Set(MachineEnd::kSetupFailure, status.ToString());
    }
  }
  if (context_.sandbox != nullptr) {
    absl::Status status = context_.sandbox->Confine(ThreadRole::kVcpu);
    if (!status.ok()) {
      context_.end->Set(MachineEnd::kSetupFailure, status.ToString());
    }
  }
  started_.count_down();
  context_.go->wait();
  if (cpu_ == 0 && !context_.end->is_set()) context_.report->Emit("entry");
  while (!context_.end->is_set()) {
    absl::Status status = vcpu_->Run();
    if (status.ok()) {
      Dispatch();
    } else {
      End(MachineEnd::kInternalError, status.message());
    }
  }
  MutexLock lock(&mutex_);
  is_running_ = false;
}

void VcpuThread::Dispatch() {
  const kvm_run& run = vcpu_->run();
  switch (run.exit_reason) {
    case KVM_EXIT_IO:
      return DispatchPort();
    case KVM_EXIT_MMIO:
      return DispatchMmio();
    case KVM_EXIT_INTR:
    case KVM_EXIT_HLT:
      return;
    case KVM_EXIT_SHUTDOWN:
      return End(MachineEnd::kTripleFault, "triple fault");
    case KVM_EXIT_SYSTEM_EVENT:
      return DispatchSystemEvent();
    case KVM_EXIT_FAIL_ENTRY:
      return End(MachineEnd::kEntryFailure, EntryFailureText(run));
    case KVM_EXIT_INTERNAL_ERROR:
      return End(MachineEnd::kInternalError, InternalErrorText(run));
    default:
      return End(MachineEnd::kInternalError,
                 absl::StrCat("unexpected exit reason ", run.exit_reason));
  }
}

void VcpuThread::ReportFirstIo() {
  if (context_.saw_io->load(std::memory_order_relaxed)) return;
  if (!context_.saw_io->exchange(true)) context_.report->Emit("first-io");
}

void VcpuThread::DispatchPort() {
  ReportFirstIo();
  const auto& io = vcpu_->run().io;
  const uint16_t port = io.port;
  const size_t width = io.size;
  const bool is_write = io.direction == KVM_EXIT_IO_OUT;
  absl::Span<std::byte> data = vcpu_->IoData();
  // A string instruction arrives as several items for one port.
  for (; width > 0 && data.size() >= width; data.remove_prefix(width)) {
    if (is_write) {
      context_.ports->Write(port, data.first(width));
    } else {
      context_.ports->Read(port, data.first(width));
    }
  }
}

void VcpuThread::DispatchMmio() {
  ReportFirstIo();
  const auto& mmio = vcpu_->run().mmio;
  if (mmio.is_write) {
    context_.mmio->Write(mmio.phys_addr, vcpu_->MmioData());
  } else {
    context_.mmio->Read(mmio.phys_addr, vcpu_->MmioData());
  }
}

void VcpuThread::DispatchSystemEvent() {
  switch (uint32_t type = vcpu_->run().system_event.type; type) {
    case KVM_SYSTEM_EVENT_SHUTDOWN:
      return End(MachineEnd::kPowerOff, "system event");
    case KVM_SYSTEM_EVENT_RESET:
      return End(MachineEnd::kReset, "system event");
    default:
      return End(MachineEnd::kInternalError,
                 absl::StrCat("unexpected system event ", type));
  }
}

void VcpuThread::End(MachineEnd end, absl::string_view what) {
  context_.end->Set(end,
                    absl::StrCat("cpu ", cpu_, ": ", what, "; ",
                                 DescribeRegisters(*vcpu_, *context_.memory)));
}

}  // namespace ktstr::vmm
