// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/boot_params.h"

#include <asm/bootparam.h>

#include <cstring>

#include "base/status_matchers.h"
#include "gtest/gtest.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/memory_plan.h"

namespace ktstr::vmm {
namespace {

boot_params Parse(const std::vector<std::byte>& page) {
  boot_params params;
  EXPECT_EQ(page.size(), sizeof(params));
  std::memcpy(&params, page.data(), sizeof(params));
  return params;
}

boot_params ForMemory(uint64_t mib, int nodes = 1) {
  auto plan = PlanMemory(*MachineTopology::Create(
      *Topology::Create(nodes, nodes, 1, 1), int64_t(mib)));
  auto page = BuildBootParams({.ram = plan});
  EXPECT_OK(page.status());
  return Parse(*page);
}

uint64_t RamBytes(const boot_params& params) {
  uint64_t total = 0;
  for (int i = 0; i < params.e820_entries; ++i) {
    if (params.e820_table[i].type == 1) total += params.e820_table[i].size;
  }
  return total;
}

TEST(BootParamsTest, SmallMachineReportsLowRamAcpiAndMainRam) {
  boot_params params = ForMemory(256);
  ASSERT_EQ(params.e820_entries, 4);
  EXPECT_EQ(params.e820_table[0].addr, 0u);
  EXPECT_EQ(params.e820_table[0].size, kLowRamEnd);
  EXPECT_EQ(params.e820_table[1].type, 2u);
  EXPECT_EQ(params.e820_table[2].addr, kMiB);
  EXPECT_EQ(params.e820_table[2].size, 255 * kMiB);
  EXPECT_EQ(params.e820_table[3].addr, kAcpiTables);
  EXPECT_EQ(params.e820_table[3].type, 3u);
}

TEST(BootParamsTest, NoRamIsReportedInTheHole) {
  boot_params params = ForMemory(8192, /*nodes=*/3);
  for (int i = 0; i < params.e820_entries; ++i) {
    uint64_t start = params.e820_table[i].addr;
    uint64_t end = start + params.e820_table[i].size;
    EXPECT_TRUE(end <= kHoleStart || start >= kHighRam) << i;
  }
  EXPECT_EQ(RamBytes(params), 8192 * kMiB - (kMiB - kLowRamEnd));
}

TEST(BootParamsTest, HeaderLeadsToCommandLineInitrdAndRsdp) {
  auto plan = PlanMemory(*MachineTopology::Create(Topology(), 64));
  auto page = BuildBootParams(
      {.ram = plan, .initrd = GuestPhysAddr(0x3000000), .initrd_bytes = 12345});
  ASSERT_OK(page.status());
  boot_params params = Parse(*page);
  EXPECT_EQ(params.hdr.boot_flag, 0xAA55);
  EXPECT_EQ(params.hdr.header, 0x53726448u);
  EXPECT_EQ(params.hdr.cmd_line_ptr, kCmdline);
  EXPECT_EQ(params.hdr.ramdisk_image, 0x3000000u);
  EXPECT_EQ(params.hdr.ramdisk_size, 12345u);
  EXPECT_EQ(params.acpi_rsdp_addr, kAcpiTables);
}

TEST(BootParamsTest, RefusesMoreRangesThanTheTableHolds) {
  std::vector<GuestMemory::Range> ranges(200);
  for (size_t i = 0; i < ranges.size(); ++i) {
    ranges[i] = {.start = GuestPhysAddr((i + 1) * 2 * kMiB),
                 .size_bytes = kMiB};
  }
  EXPECT_THAT(BuildBootParams({.ram = ranges}),
              absl_testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace ktstr::vmm
