// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/arch/x86_64/dsdt.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

constexpr size_t kHeaderBytes = 36;

// The byte code behind the header.
std::string Code(const std::vector<VirtioMmioPlace>& devices) {
  std::vector<std::byte> table = BuildDsdt(devices);
  std::string code;
  for (size_t i = kHeaderBytes; i < table.size(); ++i) {
    code.push_back(char(table[i]));
  }
  return code;
}

size_t Count(absl::string_view text, absl::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; ++at) ++count;
  return count;
}

TEST(DsdtTest, MachineWithoutDevicesCanStillPowerOff) {
  EXPECT_EQ(absl::BytesToHexString(Code({})),
            "085f53355f"        // Name (_S5,
            "1207040a05000000"  //   Package (4) {5, 0, 0, 0})
            "10055f53425f");    // Scope (_SB) {}
}

TEST(DsdtTest, DeviceIsItsIdMemoryAndInterrupt) {
  EXPECT_EQ(absl::BytesToHexString(Code({{0xD0001000, 0x1000, 5}})),
            "085f53355f1207040a05000000"
            "1042045f53425f"                  // Scope (_SB), 66 bytes: {
            "5b823a56495230"                  //   Device (VIR0), 58 bytes: {
            "085f4849440d4c4e524f3030303500"  // _HID "LNRO0005"
            "085f55494400"                    // _UID 0
            "085f435253"                      // _CRS
            "111a0a17"                        // Buffer (23)
            "86090001001000d000100000"        // Memory32Fixed
            "890600030105000000"              // Interrupt
            "7900");                          // end
}

TEST(DsdtTest, EveryDeviceHasItsOwnNameAndNumber) {
  std::vector<VirtioMmioPlace> devices;
  for (uint32_t i = 0; i < 16; ++i) {
    devices.push_back({0xD0000000 + i * 0x1000, 0x1000, 5});
  }
  const std::string code = Code(devices);
  EXPECT_EQ(Count(code, "LNRO0005"), 16u);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(Count(code, absl::StrCat("VIR", absl::string_view(
                                                  &"0123456789ABCDEF"[i], 1))),
              1u)
        << i;
  }
  // The scope reaches to the end: two bytes of length, four bits in the first.
  const size_t scope = code.find('\x10', 13);
  ASSERT_EQ(scope, 13u);
  const size_t length = (uint8_t(code[14]) & 0xF) | size_t{uint8_t(code[15])}
                                                        << 4;
  EXPECT_EQ(uint8_t(code[14]) >> 6, 1);
  EXPECT_EQ(scope + 1 + length, code.size());
}

}  // namespace
}  // namespace ktstr::vmm
