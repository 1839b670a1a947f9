// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_KVM_IOCTL_H_
#define KTSTR_VMM_KVM_IOCTL_H_

#include <linux/kvm.h>

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

// Requests whose argument ends in an array of no declared size. In C++ the
// kernel's header gives such structures another size and layout than the kernel
// has, and the size is part of the request's number: both start with a 32-bit
// count and 32 bits of padding, and the entries follow at offset 8.
inline constexpr KvmRequest kGetSupportedCpuid = {_IOWR(KVMIO, 0x05, uint64_t),
                                                  "KVM_GET_SUPPORTED_CPUID"};
inline constexpr KvmRequest kSetCpuid2 = {_IOW(KVMIO, 0x90, uint64_t),
                                          "KVM_SET_CPUID2"};
inline constexpr KvmRequest kSetMsrs = {_IOW(KVMIO, 0x89, uint64_t),
                                        "KVM_SET_MSRS"};
inline constexpr KvmRequest kGetMsrs = {_IOWR(KVMIO, 0x88, uint64_t),
                                        "KVM_GET_MSRS"};

// ioctl(fd, request, arg), the result when it is not negative.
//
// Errors: the mapping of errno, message "KVM_NAME: reason".
absl::StatusOr<int> KvmIoctl(int fd, KvmRequest request, void* arg);
absl::StatusOr<int> KvmIoctl(int fd, KvmRequest request, uint64_t arg);

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_KVM_IOCTL_H_
