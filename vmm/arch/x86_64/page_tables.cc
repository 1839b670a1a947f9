// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/page_tables.h"

#include <array>
#include <span>

#include "absl/types/span.h"
#include "base/status_macros.h"
#include "vmm/arch/x86_64/layout.h"

namespace ktstr::vmm {
namespace {

constexpr uint64_t kPresent = 1 << 0;
constexpr uint64_t kWritable = 1 << 1;
constexpr uint64_t kLargePage = 1 << 7;
constexpr uint64_t kLargePageBytes = 2 * kMiB;

// Bytes of a table of 64-bit entries, as they stand in memory.
absl::Status WriteEntries(GuestMemory& memory, uint64_t gpa,
                          absl::Span<const uint64_t> entries) {
  auto bytes = std::as_bytes(std::span(entries.data(), entries.size()));
  return memory.Write(GuestPhysAddr(gpa), {bytes.data(), bytes.size()});
}

}  // namespace

absl::Status WritePageTables(GuestMemory& memory) {
  ABSL_RETURN_IF_ERROR(
      memory.WriteU64(GuestPhysAddr(kPml4), kPdpt | kPresent | kWritable));
  ABSL_RETURN_IF_ERROR(memory.WriteU64(GuestPhysAddr(kPdpt),
                                       kPageDirectory | kPresent | kWritable));
  std::array<uint64_t, kIdentityMapBytes / kLargePageBytes> directory;
  for (size_t i = 0; i < directory.size(); ++i) {
    directory[i] = i * kLargePageBytes | kPresent | kWritable | kLargePage;
  }
  return WriteEntries(memory, kPageDirectory, directory);
}

absl::Status WriteGdt(GuestMemory& memory) {
  // Base 0, limit 4 GiB where it counts; SDM vol. 3A, 3.4.5.
  constexpr std::array<uint64_t, 5> kDescriptors = {
      0,
      0,
      0x00AF9B000000FFFF,  // code: present, execute/read, accessed, 64-bit
      0x00CF93000000FFFF,  // data: present, read/write, accessed, 32-bit
      0x008F8B000000FFFF,  // task state: present, busy
  };
  static_assert(sizeof(kDescriptors) == kGdtBytes);
  return WriteEntries(memory, kGdt, kDescriptors);
}

}  // namespace ktstr::vmm
