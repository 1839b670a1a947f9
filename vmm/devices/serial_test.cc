// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/serial.h"

#include <memory>

#include "base/status_matchers.h"

namespace ktstr::vmm {
namespace {

using namespace serial;  // NOLINT: register names only.

class SerialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loop = EventLoop::Create();
    ASSERT_OK(loop);
    loop_ = *std::move(loop);
    output_ = std::make_unique<ConsoleWriter>(loop_.get(), /*fd=*/-1,
                                              [this] { ++first_bytes_; });
    serial_ =
        std::make_unique<Serial>(output_.get(), [this] { ++interrupts_; });
  }
  void Out(uint64_t reg, uint8_t value) {
    const std::byte byte = static_cast<std::byte>(value);
    serial_->Write(reg, absl::MakeConstSpan(&byte, 1));
  }
  uint8_t In(uint64_t reg) {
    std::byte byte;
    serial_->Read(reg, absl::MakeSpan(&byte, 1));
    return static_cast<uint8_t>(byte);
  }

  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<ConsoleWriter> output_;
  std::unique_ptr<Serial> serial_;
  int interrupts_ = 0;
  int first_bytes_ = 0;
};

TEST_F(SerialTest, TransmitterIsAlwaysEmpty) {
  Out(kRbrThrDll, 'x');
  EXPECT_EQ(In(kLsr), kLsrHoldingEmpty | kLsrTransmitterEmpty);
}

TEST_F(SerialTest, FirstByteIsReportedOnce) {
  Out(kScr, 1);
  EXPECT_EQ(first_bytes_, 0);
  Out(kRbrThrDll, 'x');
  Out(kRbrThrDll, 'y');
  EXPECT_EQ(first_bytes_, 1);
}

TEST_F(SerialTest, DivisorLatchHidesDataAndInterruptEnable) {
  Out(kIerDlm, 0xff);
  EXPECT_EQ(In(kIerDlm), kIerMask);
  Out(kLcr, kLcrDivisorLatch);
  Out(kRbrThrDll, 12);
  Out(kIerDlm, 3);
  EXPECT_EQ(In(kRbrThrDll), 12);
  EXPECT_EQ(In(kIerDlm), 3);
  Out(kLcr, 3);
  EXPECT_EQ(In(kIerDlm), kIerMask);
  EXPECT_EQ(first_bytes_, 0);
}

TEST_F(SerialTest, EnablingTheTransmitInterruptRaisesIt) {
  Out(kIerDlm, kIerTransmitterEmpty);
  EXPECT_EQ(interrupts_, 1);
  EXPECT_EQ(In(kIirFcr), kIirTransmitterEmpty);
  EXPECT_EQ(In(kIirFcr), kIirNone);
  // Linux tests a second time that enabling reports again.
  Out(kIerDlm, 0);
  Out(kIerDlm, kIerTransmitterEmpty);
  EXPECT_EQ(interrupts_, 2);
  EXPECT_EQ(In(kIirFcr), kIirTransmitterEmpty);
}

TEST_F(SerialTest, OneEdgeForABurstAndAnotherAfterItWasSeen) {
  Out(kIerDlm, kIerTransmitterEmpty);
  In(kIirFcr);
  interrupts_ = 0;
  for (int i = 0; i < 16; ++i) Out(kRbrThrDll, 'x');
  EXPECT_EQ(interrupts_, 1);
  In(kIirFcr);
  Out(kRbrThrDll, 'x');
  EXPECT_EQ(interrupts_, 2);
}

TEST_F(SerialTest, NoInterruptUnlessEnabled) {
  Out(kRbrThrDll, 'x');
  EXPECT_EQ(interrupts_, 0);
  EXPECT_EQ(In(kIirFcr), kIirNone);
}

TEST_F(SerialTest, FifoEnableIsVisible) {
  Out(kIirFcr, kFcrEnable);
  EXPECT_EQ(In(kIirFcr), kIirNone | kIirFifosEnabled);
}

TEST_F(SerialTest, LoopbackReflectsModemLinesAndData) {
  Out(kMcr, kMcrLoop | kMcrOut2 | kMcrRequestToSend);
  EXPECT_EQ(In(kMsr) & 0xf0, kMsrCarrierDetect | kMsrClearToSend);
  Out(kIerDlm, kIerReceived);
  for (size_t i = 0; i < 2 * kFifoBytes; ++i) Out(kRbrThrDll, 'a' + i);
  EXPECT_EQ(first_bytes_, 0);
  EXPECT_EQ(In(kIirFcr), kIirReceived);
  for (size_t i = 0; i < kFifoBytes; ++i) {
    EXPECT_EQ(In(kLsr) & kLsrDataReady, kLsrDataReady);
    EXPECT_EQ(In(kRbrThrDll), 'a' + i);
  }
  EXPECT_EQ(In(kLsr) & kLsrDataReady, 0);
}

TEST_F(SerialTest, WideAccessReachesOneRegister) {
  std::byte four[4] = {std::byte{0x5a}, std::byte{1}, std::byte{2},
                       std::byte{3}};
  serial_->Write(kScr, absl::MakeConstSpan(four));
  serial_->Read(kScr, absl::MakeSpan(four));
  EXPECT_EQ(four[0], std::byte{0x5a});
  EXPECT_EQ(four[1], std::byte{0xff});
}

}  // namespace
}  // namespace ktstr::vmm
