// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/kvm/ioctl.h"

#include <sys/ioctl.h>

#include <cerrno>

namespace ktstr::vmm {

absl::StatusOr<int> KvmIoctl(int fd, KvmRequest request, void* arg) {
  int result = ioctl(fd, request.number, arg);
  if (result < 0) return absl::ErrnoToStatus(errno, request.name);
  return result;
}

absl::StatusOr<int> KvmIoctl(int fd, KvmRequest request, uint64_t arg) {
  int result = ioctl(fd, request.number, arg);
  if (result < 0) return absl::ErrnoToStatus(errno, request.name);
  return result;
}

}  // namespace ktstr::vmm
