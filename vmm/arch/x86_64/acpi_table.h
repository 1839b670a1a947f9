// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_ARCH_X86_64_ACPI_TABLE_H_
#define KTSTR_VMM_ARCH_X86_64_ACPI_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "vmm/arch/x86_64/table_writer.h"

namespace ktstr::vmm {

// One ACPI table under construction: header first, length and checksum at the
// end.
//
// Source: ACPI specification 6.5, 5.2.6.
class AcpiTable {
 public:
  AcpiTable(absl::string_view signature, uint8_t revision) {
    out_.Name(signature, 4).U32(0).U8(revision).U8(0);
    out_.Name("KTSTR", 6).Name("KTSTRVM", 8).U32(1).Name("KTST", 4).U32(1);
  }
  TableWriter& out() { return out_; }
  std::vector<std::byte> Finish() {
    out_.PatchU32(kLengthOffset, uint32_t(out_.size()));
    out_.PatchChecksum(kChecksumOffset, 0, out_.size());
    return out_.Take();
  }

 private:
  static constexpr size_t kLengthOffset = 4;
  static constexpr size_t kChecksumOffset = 9;

  TableWriter out_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_ARCH_X86_64_ACPI_TABLE_H_
