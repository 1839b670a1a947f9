// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/boot_params.h"

#include <asm/bootparam.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "vmm/arch/x86_64/layout.h"

namespace ktstr::vmm {
namespace {

constexpr uint32_t kE820Ram = 1;
constexpr uint32_t kE820Reserved = 2;
constexpr uint32_t kE820Acpi = 3;

constexpr uint16_t kBootFlag = 0xAA55;
constexpr uint32_t kHeaderMagic = 0x53726448;  // "HdrS"
constexpr uint8_t kLoaderUndefined = 0xFF;
constexpr uint32_t kKernelAlignment = 0x01000000;

class E820Table {
 public:
  void Add(uint64_t start, uint64_t end, uint32_t type) {
    if (start < end) entries_.push_back({start, end - start, type});
  }
  // RAM from one memory range, without what firmware would keep for itself.
  void AddRam(uint64_t start, uint64_t end) {
    if (start < kLowRamEnd) {
      Add(start, std::min(end, kLowRamEnd), kE820Ram);
      Add(kLowRamEnd, std::min<uint64_t>(end, 0xA0000), kE820Reserved);
      start = kKernelFloor;
    }
    Add(start, end, kE820Ram);
  }
  const std::vector<boot_e820_entry>& entries() const { return entries_; }

 private:
  std::vector<boot_e820_entry> entries_;
};

}  // namespace

absl::StatusOr<std::vector<std::byte>> BuildBootParams(
    const BootParamsSpec& spec) {
  E820Table table;
  for (const auto& range : spec.ram) {
    uint64_t start = range.start.value();
    table.AddRam(start, start + range.size_bytes);
    if (start == 0) table.Add(kAcpiTables, kAcpiTablesEnd, kE820Acpi);
  }
  boot_params params = {};
  if (table.entries().size() > E820_MAX_ENTRIES_ZEROPAGE) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the memory map has ", table.entries().size(),
        " ranges; the zero page holds at most ", E820_MAX_ENTRIES_ZEROPAGE));
  }
  params.e820_entries = uint8_t(table.entries().size());
  for (size_t i = 0; i < table.entries().size(); ++i) {
    params.e820_table[i] = table.entries()[i];
  }
  params.acpi_rsdp_addr = kAcpiTables;
  params.hdr.boot_flag = kBootFlag;
  params.hdr.header = kHeaderMagic;
  params.hdr.type_of_loader = kLoaderUndefined;
  params.hdr.kernel_alignment = kKernelAlignment;
  params.hdr.cmd_line_ptr = uint32_t(kCmdline);
  params.hdr.cmdline_size = uint32_t(kCmdlineMaxBytes - 1);
  params.hdr.ramdisk_image = uint32_t(spec.initrd.value());
  params.hdr.ramdisk_size = uint32_t(spec.initrd_bytes);
  std::vector<std::byte> page(sizeof(params));
  std::memcpy(page.data(), &params, sizeof(params));
  return page;
}

}  // namespace ktstr::vmm
