// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/dsdt.h"

#include "absl/strings/string_view.h"
#include "vmm/arch/x86_64/acpi_table.h"
#include "vmm/arch/x86_64/table_writer.h"
#include "vmm/devices/acpi_power.h"

namespace ktstr::vmm {
namespace {

using Aml = std::vector<std::byte>;

// Byte code prefixes (20.3, table 20.2).
constexpr uint8_t kName = 0x08;
constexpr uint8_t kBytePrefix = 0x0A;
constexpr uint8_t kStringPrefix = 0x0D;
constexpr uint8_t kScope = 0x10;
constexpr uint8_t kBuffer = 0x11;
constexpr uint8_t kPackage = 0x12;
constexpr uint8_t kExtension = 0x5B;
constexpr uint8_t kDevice = 0x82;

// Resource descriptors (6.4).
constexpr uint8_t kMemory32Fixed = 0x86;
constexpr uint8_t kExtendedInterrupt = 0x89;
constexpr uint8_t kEndTag = 0x79;
constexpr uint8_t kReadWrite = 1u << 0;
constexpr uint8_t kConsumer = 1u << 0;
constexpr uint8_t kEdgeTriggered = 1u << 1;  // active high: bit 2 clear

// Longest with two bytes of length: 12 bits (20.2.4).
constexpr size_t kMaxBlockBytes = (1u << 12) - 1;

void Append(Aml& aml, const Aml& more) {
  aml.insert(aml.end(), more.begin(), more.end());
}

// A length that counts itself, then `content`.
Aml Block(const Aml& content) {
  TableWriter out;
  size_t length = content.size() + 1;
  if (length < 64) {
    out.U8(uint8_t(length));
  } else {
    static_assert(kMaxBlockBytes >= 16 * 128, "a scope of 16 devices");
    ++length;
    out.U8(uint8_t(0x40 | (length & 0xF))).U8(uint8_t(length >> 4));
  }
  Aml aml = out.Take();
  Append(aml, content);
  return aml;
}

Aml Named(absl::string_view name, const Aml& value) {
  TableWriter out;
  out.U8(kName).Name(name, 4);
  Aml aml = out.Take();
  Append(aml, value);
  return aml;
}

// As a compiler writes it: zero and one are codes of their own.
Aml Byte(uint8_t value) {
  TableWriter out;
  if (value > 1) out.U8(kBytePrefix);
  out.U8(value);
  return out.Take();
}

Aml String(absl::string_view text) {
  TableWriter out;
  out.U8(kStringPrefix).Name(text, text.size()).U8(0);
  return out.Take();
}

// REQUIRES: fewer than 256 bytes.
Aml Buffer(const Aml& bytes) {
  Aml content = Byte(uint8_t(bytes.size()));
  Append(content, bytes);
  Aml aml = {std::byte(kBuffer)};
  Append(aml, Block(content));
  return aml;
}

Aml SoftOff() {
  TableWriter elements;
  elements.U8(4);
  elements.U8(kBytePrefix).U8(AcpiPower::kSoftOffSleepType).U8(0).U8(0).U8(0);
  Aml aml = {std::byte(kPackage)};
  Append(aml, Block(elements.Take()));
  return aml;
}

Aml Resources(const VirtioMmioPlace& place) {
  TableWriter out;
  out.U8(kMemory32Fixed).U16(9).U8(kReadWrite);
  out.U32(place.gpa).U32(place.size_bytes);
  out.U8(kExtendedInterrupt).U16(6).U8(kConsumer | kEdgeTriggered);
  out.U8(1).U32(place.irq);
  out.U8(kEndTag).U8(0);  // a zero instead of a checksum is always right
  return Buffer(out.Take());
}

Aml Device(uint8_t number, const VirtioMmioPlace& place) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  TableWriter name;
  name.Name("VIR", 3).U8(uint8_t(kDigits[number % 16]));
  Aml content = name.Take();
  Append(content, Named("_HID", String("LNRO0005")));
  Append(content, Named("_UID", Byte(number)));
  Append(content, Named("_CRS", Resources(place)));
  Aml aml = {std::byte(kExtension), std::byte(kDevice)};
  Append(aml, Block(content));
  return aml;
}

Aml SystemBus(absl::Span<const VirtioMmioPlace> devices) {
  TableWriter name;
  name.Name("_SB_", 4);
  Aml content = name.Take();
  uint8_t number = 0;
  for (const VirtioMmioPlace& place : devices) {
    Append(content, Device(number++, place));
  }
  Aml aml = {std::byte(kScope)};
  Append(aml, Block(content));
  return aml;
}

}  // namespace

std::vector<std::byte> BuildDsdt(absl::Span<const VirtioMmioPlace> devices) {
  AcpiTable table("DSDT", 2);
  table.out().Bytes(Named("_S5_", SoftOff()));
  table.out().Bytes(SystemBus(devices));
  return table.Finish();
}

}  // namespace ktstr::vmm
