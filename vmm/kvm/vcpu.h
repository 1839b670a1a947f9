// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_KVM_VCPU_H_
#define KTSTR_VMM_KVM_VCPU_H_

#include <linux/kvm.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "vmm/kvm/ioctl.h"

namespace ktstr::vmm {

// One virtual CPU: the descriptor of KVM_CREATE_VCPU and its shared kvm_run.
//
// Trust:   exit data in run() was chosen by the guest; lengths are bounded by
//          KVM, addresses and values by nobody.
// Threads: state calls before the first Run() from any one thread, then only
//          from the thread that runs it; RequestExit() from anywhere.
class Vcpu {
 public:
  static absl::StatusOr<std::unique_ptr<Vcpu>> Adopt(UniqueFd fd,
                                                     size_t run_bytes);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  // Enters the guest until its next exit; run().exit_reason says which. A
  // signal or RequestExit() ends it with KVM_EXIT_INTR.
  //
  // Blocks: as long as the guest does not exit.
  // Errors: the mapping of errno of KVM_RUN.
  absl::Status Run();

  // Makes this or the next Run() return KVM_EXIT_INTR, until WithdrawExit().
  //
  // A thread blocked inside KVM_RUN notices only with a signal sent *after*
  // this call; one that has not entered yet notices without. Together they
  // leave no window in which the request can be missed.
  // Threads: any; async-signal-safe.
  void RequestExit();
  void WithdrawExit();

  const kvm_run& run() const { return *run_; }

  // The data of a KVM_EXIT_IO: run().io.count items of run().io.size bytes.
  // Written items are what the guest reads. Empty if KVM described bytes
  // outside the shared page.
  absl::Span<std::byte> IoData();
  // The data of a KVM_EXIT_MMIO, at most 8 bytes.
  absl::Span<std::byte> MmioData();

  // Any other request, by name.
  absl::Status Call(KvmRequest request, void* arg) const;

 private:
  Vcpu(UniqueFd fd, kvm_run* run, size_t run_bytes)
      : fd_(std::move(fd)), run_(run), run_bytes_(run_bytes) {}

  const UniqueFd fd_;
  kvm_run* const run_;
  const size_t run_bytes_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_KVM_VCPU_H_
