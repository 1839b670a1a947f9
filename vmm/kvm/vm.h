// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_KVM_VM_H_
#define KTSTR_VMM_KVM_VM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "vmm/kvm/ioctl.h"
#include "vmm/kvm/vcpu.h"

namespace ktstr::vmm {

// One machine inside KVM: the descriptor of KVM_CREATE_VM.
//
// Threads:  calls may come from any thread; KVM serialises them.
// Blocks:   the last close of the descriptors (this one and every Vcpu's) takes
//           10 to 25 ms inside the kernel.
// Lifetime: memory registered here outlives it.
class Vm {
 public:
  // Takes the descriptor of a fresh machine; `run_bytes` is
  // KVM_GET_VCPU_MMAP_SIZE.
  static std::unique_ptr<Vm> Adopt(UniqueFd fd, size_t run_bytes);

  // Backs [gpa, gpa + size_bytes) with host memory. Slots are numbered by the
  // caller, each once.
  absl::Status AddMemorySlot(uint32_t slot, uint64_t gpa, uint64_t size_bytes,
                             void* host);

  // `id` is the APIC id on x86.
  absl::StatusOr<std::unique_ptr<Vcpu>> CreateVcpu(uint32_t id);

  // A write to `event_fd` raises an edge on interrupt `gsi`.
  absl::Status AttachIrqFd(int event_fd, uint32_t gsi);

  // A `width`-byte write of `value` to MMIO address `gpa` signals `event_fd`
  // without leaving the kernel. Width 0 matches any write.
  absl::Status AttachIoEventFd(int event_fd, uint64_t gpa, uint32_t width,
                               uint64_t value);

  // Longest time in nanoseconds that KVM waits busily for a vCPU that halted,
  // instead of giving its host CPU away at once.
  absl::Status SetHaltPolling(uint64_t most_ns);

  // PAUSE and HLT stay inside the guest: its CPUs are not for others. Before
  // the first vCPU.
  //
  // Errors: FailedPrecondition naming what this host's KVM cannot.
  absl::Status DisablePauseAndHaltExits();

  // Any other request, by name.
  absl::Status Call(KvmRequest request, void* arg) const;
  absl::Status Call(KvmRequest request, uint64_t arg) const;

 private:
  Vm(UniqueFd fd, size_t run_bytes)
      : fd_(std::move(fd)), run_bytes_(run_bytes) {}

  const UniqueFd fd_;
  const size_t run_bytes_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_KVM_VM_H_
