// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/bus.h"

#include <string>
#include <vector>

#include "base/status_matchers.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

// Answers with its offset and remembers writes.
class EchoDevice : public IoDevice {
 public:
  explicit EchoDevice(std::string name) : name_(std::move(name)) {}
  absl::string_view name() const override { return name_; }
  void Read(uint64_t offset, absl::Span<std::byte> out) override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(offset);
  }
  void Write(uint64_t offset, absl::Span<const std::byte> in) override {
    written.push_back({offset, in.size()});
  }
  std::vector<std::pair<uint64_t, size_t>> written;

 private:
  const std::string name_;
};

TEST(BusTest, DeviceSeesOffsets) {
  EchoDevice device("echo");
  Bus bus;
  ASSERT_OK(bus.Add(0x3f8, 8, &device));
  std::byte byte[1];
  EXPECT_TRUE(bus.Read(0x3fd, absl::MakeSpan(byte)));
  EXPECT_EQ(byte[0], std::byte{5});
  EXPECT_TRUE(bus.Write(0x3f8, absl::MakeConstSpan(byte)));
  EXPECT_THAT(device.written, testing::ElementsAre(std::pair(0u, 1u)));
}

TEST(BusTest, OneDeviceAtTwoRangesTellsThemApart) {
  EchoDevice device("i8042");
  Bus bus;
  ASSERT_OK(bus.Add(0x60, 1, &device));
  ASSERT_OK(bus.Add(0x64, 1, &device, /*first_offset=*/4));
  std::byte byte[1];
  EXPECT_TRUE(bus.Read(0x64, absl::MakeSpan(byte)));
  EXPECT_EQ(byte[0], std::byte{4});
  EXPECT_FALSE(bus.Read(0x61, absl::MakeSpan(byte)));
}

TEST(BusTest, UnclaimedReadsAreOnes) {
  EchoDevice device("echo");
  Bus bus;
  ASSERT_OK(bus.Add(16, 16, &device));
  std::byte four[4] = {};
  for (uint64_t address :
       {uint64_t{0}, uint64_t{32}, uint64_t{29}, ~uint64_t{0}}) {
    EXPECT_FALSE(bus.Read(address, absl::MakeSpan(four))) << address;
    EXPECT_EQ(four[3], std::byte{0xff});
    EXPECT_FALSE(bus.Write(address, absl::MakeConstSpan(four))) << address;
  }
  EXPECT_TRUE(bus.Read(28, absl::MakeSpan(four)));
  EXPECT_TRUE(device.written.empty());
}

TEST(BusTest, RejectsOverlappingRanges) {
  EchoDevice first("first"), second("second");
  Bus bus;
  ASSERT_OK(bus.Add(100, 10, &first));
  for (auto [base, size] : {std::pair<uint64_t, uint64_t>{100, 10},
                            {95, 6},
                            {109, 1},
                            {90, 100},
                            {104, 2}}) {
    EXPECT_THAT(
        bus.Add(base, size, &second),
        StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("first is at")))
        << base;
  }
  EXPECT_OK(bus.Add(110, 1, &second));
  EXPECT_OK(bus.Add(99, 1, &second));
}

TEST(BusTest, RejectsEmptyAndWrappingRanges) {
  EchoDevice device("echo");
  Bus bus;
  EXPECT_THAT(bus.Add(5, 0, &device),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(bus.Add(~uint64_t{0}, 2, &device),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_OK(bus.Add(~uint64_t{0}, 1, &device));
}

}  // namespace
}  // namespace ktstr::vmm
