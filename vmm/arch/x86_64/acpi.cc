// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/acpi.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "vmm/arch/x86_64/acpi_table.h"
#include "vmm/arch/x86_64/apic_id.h"
#include "vmm/arch/x86_64/hmat.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/table_writer.h"
#include "vmm/devices/acpi_power.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kRsdpBytes = 36;
constexpr size_t kAlignment = 16;

// FADT fixed feature flags (5.2.9, table 5.10).
constexpr uint32_t kFadtWbinvd = 1u << 0;
constexpr uint32_t kFadtProcC1 = 1u << 2;
constexpr uint32_t kFadtNoPowerButton = 1u << 4;
constexpr uint32_t kFadtNoSleepButton = 1u << 5;
constexpr uint32_t kFadtResetRegister = 1u << 10;
// IA-PC boot architecture flags (5.2.9.3); 8042 (bit 1) stays clear.
constexpr uint16_t kIapcLegacyDevices = 1u << 0;
constexpr uint16_t kIapcNoVga = 1u << 2;
constexpr uint16_t kIapcNoCmosClock = 1u << 5;

constexpr uint8_t kAddressSpaceIo = 1;

constexpr uint16_t kPm1aEventPort = kAcpiPowerPort + AcpiPower::kEventOffset;
constexpr uint16_t kPm1aControlPort =
    kAcpiPowerPort + AcpiPower::kControlOffset;

// Generic address structure (5.2.3.2).
void AddIoAddress(TableWriter& out, uint16_t port, uint8_t bytes) {
  uint8_t access = bytes == 1 ? 1 : bytes == 2 ? 2 : 3;
  out.U8(port == 0 ? 0 : kAddressSpaceIo)
      .U8(uint8_t(bytes * 8))
      .U8(0)
      .U8(port == 0 ? 0 : access)
      .U64(port);
}

std::vector<std::byte> BuildFadt(uint64_t dsdt) {
  AcpiTable table("FACP", 6);
  TableWriter& out = table.out();
  out.U32(0).U32(uint32_t(dsdt)).U8(0).U8(0).U16(kSciIrq);
  out.U32(0).Zeros(4);  // no SMI command port: always in ACPI mode
  out.U32(kPm1aEventPort).U32(0).U32(kPm1aControlPort).U32(0);
  out.U32(0).U32(0).U32(0).U32(0);  // PM2, PM timer, GPE0, GPE1
  out.U8(AcpiPower::kEventBytes).U8(AcpiPower::kControlBytes);
  out.U8(0).U8(0).U8(0).U8(0).U8(0).U8(0);  // lengths, GPE1 base, CST
  out.U16(0xFFFF).U16(0xFFFF);              // no C2, no C3
  out.U16(0).U16(0).U8(0).U8(0);            // flush, duty
  out.U8(0).U8(0).U8(0);                    // day, month, century
  out.U16(kIapcLegacyDevices | kIapcNoVga | kIapcNoCmosClock).U8(0);
  out.U32(kFadtWbinvd | kFadtProcC1 | kFadtNoPowerButton | kFadtNoSleepButton |
          kFadtResetRegister);
  AddIoAddress(out, kI8042CommandPort, 1);
  out.U8(kI8042ResetCommand).U16(0).U8(5);  // ARM flags, minor revision
  out.U64(0).U64(dsdt);
  AddIoAddress(out, kPm1aEventPort, AcpiPower::kEventBytes);
  AddIoAddress(out, 0, 0);
  AddIoAddress(out, kPm1aControlPort, AcpiPower::kControlBytes);
  for (int i = 0; i < 5; ++i) AddIoAddress(out, 0, 0);
  out.Zeros(24).U64(0);  // sleep registers, hypervisor vendor
  return table.Finish();
}

std::vector<std::byte> BuildMadt(const MachineTopology& machine) {
  AcpiTable table("APIC", 3);
  TableWriter& out = table.out();
  out.U32(uint32_t(kLocalApic)).U32(1);  // a PC's two PICs exist
  ApicIdLayout ids(machine);
  for (int cpu = 0; cpu < machine.cpus(); ++cpu) {
    uint32_t id = ids.IdOf(machine.PlaceOf(cpu));
    if (id < 255) {
      out.U8(0).U8(8).U8(uint8_t(cpu)).U8(uint8_t(id)).U32(1);
    } else {
      out.U8(9).U8(16).U16(0).U32(id).U32(1).U32(uint32_t(cpu));
    }
  }
  out.U8(1).U8(12).U8(0).U8(0).U32(uint32_t(kIoApic)).U32(0);
  // The timer's wire ends at input 2; conforming polarity and trigger.
  out.U8(2).U8(10).U8(0).U8(kTimerIrq).U32(kTimerGsi).U16(0);
  // NMI at LINT1 of every CPU, in both numberings.
  out.U8(4).U8(6).U8(0xFF).U16(0).U8(1);
  return table.Finish();
}

std::vector<std::byte> BuildSrat(const MachineTopology& machine,
                                 absl::Span<const GuestMemory::Range> ram) {
  AcpiTable table("SRAT", 3);
  TableWriter& out = table.out();
  out.U32(1).U64(0);
  ApicIdLayout ids(machine);
  for (int cpu = 0; cpu < machine.cpus(); ++cpu) {
    CpuPlace place = machine.PlaceOf(cpu);
    out.U8(2).U8(24).U16(0).U32(uint32_t(place.node)).U32(ids.IdOf(place));
    out.U32(1).U32(0).U32(0);
  }
  for (const auto& range : ram) {
    out.U8(1).U8(40).U32(uint32_t(range.node)).U16(0);
    out.U64(range.start.value()).U64(range.size_bytes);
    out.U32(0).U32(1).U64(0);
  }
  return table.Finish();
}

std::vector<std::byte> BuildSlit(const MachineTopology& machine) {
  AcpiTable table("SLIT", 1);
  table.out().U64(uint64_t(machine.node_count()));
  for (int from = 0; from < machine.node_count(); ++from) {
    for (int to = 0; to < machine.node_count(); ++to) {
      table.out().U8(uint8_t(machine.Distance(from, to)));
    }
  }
  return table.Finish();
}

std::vector<std::byte> BuildRsdp(uint64_t xsdt) {
  TableWriter out;
  out.Name("RSD PTR ", 8).U8(0).Name("KTSTR", 6).U8(2).U32(0);
  out.U32(kRsdpBytes).U64(xsdt).U8(0).Zeros(3);
  out.PatchChecksum(8, 0, 20);
  out.PatchChecksum(32, 0, kRsdpBytes);
  return out.Take();
}

// Tables one after another; Add() answers where it put one.
class TableArea {
 public:
  explicit TableArea(uint64_t base) : base_(base) {}

  uint64_t Next() const {
    return base_ + (bytes_.size() + kAlignment - 1) / kAlignment * kAlignment;
  }
  uint64_t Add(const std::vector<std::byte>& table) {
    bytes_.resize(Next() - base_);
    uint64_t at = base_ + bytes_.size();
    bytes_.insert(bytes_.end(), table.begin(), table.end());
    return at;
  }
  void Overwrite(uint64_t at, const std::vector<std::byte>& table) {
    std::memcpy(bytes_.data() + (at - base_), table.data(), table.size());
  }
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  const uint64_t base_;
  std::vector<std::byte> bytes_;
};

}  // namespace

absl::StatusOr<std::vector<std::byte>> BuildAcpiTables(
    const MachineTopology& machine, absl::Span<const GuestMemory::Range> ram,
    absl::Span<const VirtioMmioPlace> devices, uint64_t base,
    uint64_t max_bytes) {
  TableArea area(base);
  uint64_t rsdp = area.Add(BuildRsdp(0));
  uint64_t dsdt = area.Add(BuildDsdt(devices));
  AcpiTable xsdt("XSDT", 1);
  xsdt.out().U64(area.Add(BuildFadt(dsdt)));
  xsdt.out().U64(area.Add(BuildMadt(machine)));
  xsdt.out().U64(area.Add(BuildSrat(machine, ram)));
  xsdt.out().U64(area.Add(BuildSlit(machine)));
  if (machine.has_memory_attributes()) {
    xsdt.out().U64(area.Add(BuildHmat(machine)));
  }
  area.Overwrite(rsdp, BuildRsdp(area.Add(xsdt.Finish())));
  std::vector<std::byte> bytes = area.Take();
  if (bytes.size() > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ACPI tables for topology ", machine.topology().ToString(), " take ",
        bytes.size(), " bytes; there is room for ", max_bytes));
  }
  return bytes;
}

}  // namespace ktstr::vmm
