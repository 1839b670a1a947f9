// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/cpuid_vendor.h"

#include <cstdint>

namespace ktstr::vmm {
namespace {

// Names by EBX, EDX, ECX.
constexpr uint32_t kIntelName[] = {0x756E6547, 0x49656E69, 0x6C65746E};
constexpr uint32_t kAmdName[] = {0x68747541, 0x69746E65, 0x444D4163};
constexpr uint32_t kHygonEbx = 0x6F677948;

// Family 6, model 0x6A, stepping 6; family 0x17, model 0x31, stepping 0.
constexpr uint32_t kIceLakeSignature = 0x000606A6;
constexpr uint32_t kZen2Signature = 0x00830F10;

// Leaf 1, what only Intel has. ECX: VMX, SMX, EIST, TM2, xTPR, PDCM. EDX: DS,
// ACPI, SS, TM, PBE.
constexpr uint32_t kLeaf1EcxIntelOnly =
    1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 14 | 1u << 15;
constexpr uint32_t kLeaf1EdxIntelOnly =
    1u << 21 | 1u << 22 | 1u << 27 | 1u << 29 | 1u << 31;
// Leaf 0x80000001, all that Intel has. ECX: LAHF, LZCNT, PREFETCHW. EDX:
// SYSCALL, NX, 1 GiB pages, RDTSCP, long mode.
constexpr uint32_t kExt1EcxIntel = 1u << 0 | 1u << 5 | 1u << 8;
constexpr uint32_t kExt1EdxIntel =
    1u << 11 | 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29;
// Leaf 0x80000007 EDX: invariant TSC.
constexpr uint32_t kInvariantTsc = 1u << 8;
constexpr uint32_t kLastIntelExtendedLeaf = 0x80000008;
// Leaf 2: "see leaf 4", in the one descriptor that says so.
constexpr uint32_t kCachesAreInLeaf4 = 0x0000FF01;

constexpr uint32_t kKvmFeatures = 0x40000001;
// PV_UNHALT, PV_SEND_IPI, PV_SCHED_YIELD, HC_MAP_GPA_RANGE.
constexpr uint32_t kKvmEaxHypercalls = 1u << 7 | 1u << 11 | 1u << 13 | 1u << 16;

void SetName(CpuidEntries& entries, uint32_t leaf, const uint32_t (&name)[3]) {
  auto& entry = CpuidLeaf(entries, leaf);
  entry.ebx = name[0];
  entry.edx = name[1];
  entry.ecx = name[2];
}

void BecomeIntel(CpuidEntries& entries) {
  SetName(entries, 0, kIntelName);
  std::erase_if(entries, [](const auto& entry) {
    return entry.function > kLastIntelExtendedLeaf;
  });
  CpuidLeaf(entries, 0x80000000) = {.function = 0x80000000,
                                    .eax = kLastIntelExtendedLeaf};
  CpuidLeaf(entries, 1).eax = kIceLakeSignature;
  auto& features = CpuidLeaf(entries, 0x80000001);
  features.eax = 0;
  features.ebx = 0;
  features.ecx &= kExt1EcxIntel;
  features.edx &= kExt1EdxIntel;
  DropCpuidLeaf(entries, 0x80000005);
  auto& power = CpuidLeaf(entries, 0x80000007);
  power = {.function = 0x80000007, .edx = power.edx & kInvariantTsc};
  auto& sizes = CpuidLeaf(entries, 0x80000008);
  sizes = {.function = 0x80000008, .eax = sizes.eax & 0xFFFF};
}

void BecomeAmd(CpuidEntries& entries) {
  SetName(entries, 0, kAmdName);
  SetName(entries, 0x80000000, kAmdName);
  CpuidLeaf(entries, 1).ecx &= ~kLeaf1EcxIntelOnly;
  CpuidLeaf(entries, 1).edx &= ~kLeaf1EdxIntelOnly;
  CpuidLeaf(entries, 1).eax = kZen2Signature;
  CpuidLeaf(entries, 0x80000001).eax = kZen2Signature;
}

void PresentModernAmd(CpuidEntries& entries) {
  if (CpuidLeaf(entries, 0).ebx == kHygonEbx) return;  // fixed bits in any case
  const uint32_t signature = CpuidLeaf(entries, 1).eax;
  const uint32_t family = (signature >> 8 & 0xF) + (signature >> 20 & 0xFF);
  const uint32_t model = (signature >> 4 & 0xF) | (signature >> 12 & 0xF0);
  if ((signature >> 8 & 0xF) == 0xF && family >= 0x17 &&
      !(family == 0x17 && model <= 0x1F)) {
    return;
  }
  CpuidLeaf(entries, 1).eax = kZen2Signature;
  CpuidLeaf(entries, 0x80000001).eax = kZen2Signature;
}

}  // namespace

bool IsAmdShaped(CpuidEntries& entries) {
  const uint32_t name = CpuidLeaf(entries, 0).ebx;
  return name == kAmdName[0] || name == kHygonEbx;
}

void PresentVendor(CpuVendor vendor, CpuidEntries& entries) {
  const bool is_amd = IsAmdShaped(entries);
  const bool becomes_intel = vendor == CpuVendor::kIntel && is_amd;
  const bool becomes_amd = vendor == CpuVendor::kAmd && !is_amd;
  if (becomes_intel) BecomeIntel(entries);
  if (becomes_amd) BecomeAmd(entries);
  if (becomes_intel || becomes_amd) {
    CpuidLeaf(entries, kKvmFeatures).eax &= ~kKvmEaxHypercalls;
  }
  if (IsAmdShaped(entries)) {
    PresentModernAmd(entries);
    DropCpuidLeaf(entries, 2);
  } else {
    CpuidLeaf(entries, 2) = {.function = 2, .eax = kCachesAreInLeaf4};
  }
}

}  // namespace ktstr::vmm
