// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_KVM_KVM_H_
#define KTSTR_VMM_KVM_KVM_H_

#include <linux/kvm.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "vmm/kvm/vm.h"

namespace ktstr::vmm {

// The host's /dev/kvm: what it can do, and new machines.
//
// Threads: any; it holds no state beyond the descriptor.
class Kvm {
 public:
  // The only API version Linux has had since 2007.
  static constexpr int kApiVersion = 12;

  // Errors:
  //   NotFound, PermissionDenied, ...  the open failed; the message names it.
  //   FailedPrecondition               the device speaks another API version.
  static absl::StatusOr<std::unique_ptr<Kvm>> Open(
      const std::string& path = "/dev/kvm");

  // What KVM_CHECK_EXTENSION answers; 0 means absent.
  int Extension(int capability) const;

  // FailedPrecondition naming the first capability our machine needs and this
  // host does not have.
  absl::Status CheckRequirements() const;

  // A machine without memory, interrupt controllers or CPUs. A creation that a
  // signal interrupts is tried again.
  absl::StatusOr<std::unique_ptr<Vm>> CreateVm() const;

  // Every CPUID entry KVM can give a guest on this host.
  absl::StatusOr<std::vector<kvm_cpuid_entry2>> SupportedCpuid() const;

 private:
  explicit Kvm(UniqueFd fd) : fd_(std::move(fd)) {}

  const UniqueFd fd_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_KVM_KVM_H_
