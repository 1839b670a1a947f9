// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/i8042.h"

#include "gtest/gtest.h"

namespace ktstr::vmm {
namespace {

constexpr uint8_t kOutputFull = 0x01;
constexpr uint8_t kInputFull = 0x02;

class I8042Test : public ::testing::Test {
 protected:
  void Command(uint8_t value) { Out(I8042::kCommandOffset, value); }
  void Data(uint8_t value) { Out(I8042::kDataOffset, value); }
  uint8_t Status() { return In(I8042::kCommandOffset); }
  // The answer, which must be there without waiting.
  int Answer() {
    if (!(Status() & kOutputFull)) return -1;
    return In(I8042::kDataOffset);
  }

  int resets_ = 0;
  int interrupts_ = 0;
  I8042 i8042_{[this] { ++resets_; }, [this] { ++interrupts_; }};

 private:
  void Out(uint64_t offset, uint8_t value) {
    const std::byte byte = static_cast<std::byte>(value);
    i8042_.Write(offset, absl::MakeConstSpan(&byte, 1));
  }
  uint8_t In(uint64_t offset) {
    std::byte byte;
    i8042_.Read(offset, absl::MakeSpan(&byte, 1));
    return static_cast<uint8_t>(byte);
  }
};

TEST_F(I8042Test, IsIdleAtFirst) {
  EXPECT_EQ(Status() & (kOutputFull | kInputFull), 0);
}

TEST_F(I8042Test, ResetCommandsCallBack) {
  Command(0xfe);
  EXPECT_EQ(resets_, 1);
  Command(0xd1);
  Data(0x02);
  EXPECT_EQ(resets_, 2);
  Command(0xd1);
  Data(0x03);
  Command(0xff);
  EXPECT_EQ(resets_, 2);
}

TEST_F(I8042Test, SelfTestPassesAndTheBufferEmpties) {
  Command(0xaa);
  EXPECT_EQ(Answer(), 0x55);
  EXPECT_EQ(Answer(), -1);
}

TEST_F(I8042Test, ControlByteIsKept) {
  Command(0x60);
  Data(0x45);
  Command(0x20);
  EXPECT_EQ(Answer(), 0x45);
  Command(0xa7);
  Command(0xad);
  Command(0x20);
  EXPECT_EQ(Answer(), 0x75);
}

TEST_F(I8042Test, MousePortIsRefusedWithoutWaiting) {
  Command(0xd3);
  Data(0x5a);
  EXPECT_EQ(Status() & 0x20, 0);  // Not from the mouse.
  EXPECT_EQ(Answer(), 0x5a);
  Command(0xa9);
  EXPECT_EQ(Answer(), 0x01);
}

TEST_F(I8042Test, MissingKeyboardRefusesAtOnce) {
  Command(0x60);
  Data(0x01);
  Data(0xf2);
  EXPECT_EQ(interrupts_, 1);
  EXPECT_EQ(Answer(), 0xfe);
}

TEST_F(I8042Test, CommandForgetsAParameterThatNeverCame) {
  Command(0xd1);
  Command(0x20);
  Answer();
  Data(0x00);
  EXPECT_EQ(resets_, 0);
}

}  // namespace
}  // namespace ktstr::vmm
