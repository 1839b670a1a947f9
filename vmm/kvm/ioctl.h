// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_KVM_IOCTL_H_
#define KTSTR_VMM_KVM_IOCTL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ktstr::vmm {

// One KVM request with the name it has in linux/kvm.h, so that an error can say
// which call failed.
struct KvmRequest {
  unsigned long number;
  const char* name;
};

// KvmRequest{KVM_RUN, "KVM_RUN"} without writing the name twice.
#define KVM_REQUEST(request) (::ktstr::vmm::KvmRequest{request, #request})

// ioctl(fd, request, arg), the result when it is not negative.
//
// Errors: the mapping of errno, message "KVM_NAME: reason".
absl::StatusOr<int> KvmIoctl(int fd, KvmRequest request, void* arg);
absl::StatusOr<int> KvmIoctl(int fd, KvmRequest request, uint64_t arg);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_KVM_IOCTL_H_
