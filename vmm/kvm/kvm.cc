// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/kvm/kvm.h"

#include <fcntl.h>

#include <array>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "vmm/kvm/ioctl.h"

namespace ktstr::vmm {
namespace {

constexpr std::pair<int, const char*> kRequired[] = {
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
    {KVM_CAP_PIT2, "KVM_CAP_PIT2"},
    {KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
};

constexpr int kCreateAttempts = 5;
// KVM itself stops at 256 (KVM_MAX_CPUID_ENTRIES).
constexpr uint32_t kMaxCpuidEntries = 256;

}  // namespace

absl::StatusOr<std::unique_ptr<Kvm>> Kvm::Open(const std::string& path) {
  ABSL_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDWR));
  ABSL_ASSIGN_OR_RETURN(
      int version,
      KvmIoctl(fd.get(), KVM_REQUEST(KVM_GET_API_VERSION), uint64_t{0}));
  if (version != kApiVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": KVM API version ", version, ", need version ", kApiVersion));
  }
  return std::unique_ptr<Kvm>(new Kvm(std::move(fd)));
}

int Kvm::Extension(int capability) const {
  return KvmIoctl(fd_.get(), KVM_REQUEST(KVM_CHECK_EXTENSION),
                  uint64_t(capability))
      .value_or(0);
}

absl::Status Kvm::CheckRequirements() const {
  for (const auto& [capability, name] : kRequired) {
    if (Extension(capability) <= 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("/dev/kvm lacks ", name, ", which every machine needs"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Vm>> Kvm::CreateVm() const {
  ABSL_ASSIGN_OR_RETURN(
      int run_bytes,
      KvmIoctl(fd_.get(), KVM_REQUEST(KVM_GET_VCPU_MMAP_SIZE), uint64_t{0}));
  absl::StatusOr<int> fd;
  for (int attempt = 0; attempt < kCreateAttempts; ++attempt) {
    fd = KvmIoctl(fd_.get(), KVM_REQUEST(KVM_CREATE_VM), uint64_t{0});
    if (fd.ok()) return Vm::Adopt(UniqueFd(*fd), size_t(run_bytes));
    // EINTR; see absl::ErrnoToStatusCode().
    if (fd.status().code() != absl::StatusCode::kUnavailable) break;
  }
  return fd.status();
}

absl::StatusOr<std::vector<kvm_cpuid_entry2>> Kvm::SupportedCpuid() const {
  // kvm_cpuid2 as the kernel sees it; see vmm/kvm/ioctl.h.
  struct Table {
    uint32_t count;
    uint32_t padding;
    std::array<kvm_cpuid_entry2, kMaxCpuidEntries> entries;
  };
  static_assert(offsetof(Table, entries) == 8);
  auto table = std::make_unique<Table>();
  table->count = kMaxCpuidEntries;
  ABSL_RETURN_IF_ERROR(
      KvmIoctl(fd_.get(), kGetSupportedCpuid, static_cast<void*>(table.get()))
          .status());
  return std::vector<kvm_cpuid_entry2>(table->entries.begin(),
                                       table->entries.begin() + table->count);
}

}  // namespace ktstr::vmm
