// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/kvm/vm.h"

#include <linux/kvm.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"

namespace ktstr::vmm {

std::unique_ptr<Vm> Vm::Adopt(UniqueFd fd, size_t run_bytes) {
  return std::unique_ptr<Vm>(new Vm(std::move(fd), run_bytes));
}

absl::Status Vm::AddMemorySlot(uint32_t slot, uint64_t gpa, uint64_t size_bytes,
                               void* host) {
  kvm_userspace_memory_region region = {};
  region.slot = slot;
  region.guest_phys_addr = gpa;
  region.memory_size = size_bytes;
  // SAFETY: KVM takes the address as a number; the caller keeps it mapped.
  region.userspace_addr = reinterpret_cast<uintptr_t>(host);
  return Annotate(Call(KVM_REQUEST(KVM_SET_USER_MEMORY_REGION), &region),
                  absl::StrFormat("memory slot %u at %#x, %#x bytes", slot, gpa,
                                  size_bytes));
}

absl::StatusOr<std::unique_ptr<Vcpu>> Vm::CreateVcpu(uint32_t id) {
  absl::StatusOr<int> fd =
      KvmIoctl(fd_.get(), KVM_REQUEST(KVM_CREATE_VCPU), uint64_t{id});
  if (!fd.ok()) return Annotate(fd.status(), absl::StrCat("vCPU id ", id));
  return Vcpu::Adopt(UniqueFd(*fd), run_bytes_);
}

absl::Status Vm::AttachIrqFd(int event_fd, uint32_t gsi) {
  kvm_irqfd irqfd = {};
  irqfd.fd = uint32_t(event_fd);
  irqfd.gsi = gsi;
  return Annotate(Call(KVM_REQUEST(KVM_IRQFD), &irqfd),
                  absl::StrCat("interrupt ", gsi));
}

absl::Status Vm::AttachIoEventFd(int event_fd, uint64_t gpa, uint32_t width,
                                 uint64_t value) {
  kvm_ioeventfd event = {};
  event.fd = event_fd;
  event.addr = gpa;
  event.len = width;
  event.datamatch = value;
  event.flags = width == 0 ? 0 : KVM_IOEVENTFD_FLAG_DATAMATCH;
  return Annotate(Call(KVM_REQUEST(KVM_IOEVENTFD), &event),
                  absl::StrFormat("doorbell at %#x", gpa));
}

absl::Status Vm::SetHaltPolling(uint64_t most_ns) {
  kvm_enable_cap cap = {};
  cap.cap = KVM_CAP_HALT_POLL;
  cap.args[0] = most_ns;
  return Annotate(Call(KVM_REQUEST(KVM_ENABLE_CAP), &cap), "halt polling");
}

absl::Status Vm::DisablePauseAndHaltExits() {
  constexpr uint64_t kWanted =
      KVM_X86_DISABLE_EXITS_PAUSE | KVM_X86_DISABLE_EXITS_HLT;
  absl::StatusOr<int> offered =
      KvmIoctl(fd_.get(), KVM_REQUEST(KVM_CHECK_EXTENSION),
               uint64_t{KVM_CAP_X86_DISABLE_EXITS});
  const uint64_t missing = kWanted & ~uint64_t(offered.value_or(0));
  if (missing != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "performance mode: this host's KVM cannot keep ",
        missing & KVM_X86_DISABLE_EXITS_PAUSE ? "PAUSE" : "",
        missing == kWanted ? " and " : "",
        missing & KVM_X86_DISABLE_EXITS_HLT ? "HLT" : "", " inside the guest"));
  }
  kvm_enable_cap cap = {};
  cap.cap = KVM_CAP_X86_DISABLE_EXITS;
  cap.args[0] = kWanted;
  return Annotate(Call(KVM_REQUEST(KVM_ENABLE_CAP), &cap), "disable exits");
}

absl::Status Vm::Call(KvmRequest request, void* arg) const {
  return KvmIoctl(fd_.get(), request, arg).status();
}

absl::Status Vm::Call(KvmRequest request, uint64_t arg) const {
  return KvmIoctl(fd_.get(), request, arg).status();
}

}  // namespace ktstr::vmm
