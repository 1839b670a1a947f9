// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/kvm/vcpu.h"

#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

namespace ktstr::vmm {

absl::StatusOr<std::unique_ptr<Vcpu>> Vcpu::Adopt(UniqueFd fd,
                                                  size_t run_bytes) {
  void* page =
      mmap(nullptr, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (page == MAP_FAILED) return absl::ErrnoToStatus(errno, "mmap of kvm_run");
  return std::unique_ptr<Vcpu>(
      new Vcpu(std::move(fd), static_cast<kvm_run*>(page), run_bytes));
}

Vcpu::~Vcpu() { munmap(run_, run_bytes_); }

absl::Status Vcpu::Run() {
  if (ioctl(fd_.get(), KVM_RUN, 0) == 0) return absl::OkStatus();
  if (errno == EINTR || errno == EAGAIN) {
    run_->exit_reason = KVM_EXIT_INTR;
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "KVM_RUN");
}

// SAFETY: immediate_exit is one byte that the kernel reads on entry; a relaxed
// atomic store is enough because the signal that follows orders it.
void Vcpu::RequestExit() {
  std::atomic_ref<__u8>(run_->immediate_exit)
      .store(1, std::memory_order_relaxed);
}

void Vcpu::WithdrawExit() {
  std::atomic_ref<__u8>(run_->immediate_exit)
      .store(0, std::memory_order_relaxed);
}

absl::Span<std::byte> Vcpu::IoData() {
  const auto& io = run_->io;
  uint64_t bytes = uint64_t{io.size} * io.count;
  if (io.data_offset > run_bytes_ || bytes > run_bytes_ - io.data_offset) {
    return {};
  }
  // SAFETY: the range was just checked to lie inside the mapping of run_bytes_.
  return absl::MakeSpan(reinterpret_cast<std::byte*>(run_) + io.data_offset,
                        bytes);
}

absl::Span<std::byte> Vcpu::MmioData() {
  // SAFETY: std::byte may alias anything; the array has 8 bytes.
  return absl::MakeSpan(reinterpret_cast<std::byte*>(run_->mmio.data),
                        std::min<size_t>(run_->mmio.len, 8));
}

absl::Status Vcpu::Call(KvmRequest request, void* arg) const {
  return KvmIoctl(fd_.get(), request, arg).status();
}

}  // namespace ktstr::vmm
