// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/types/span.h"
#include "base/status_matchers.h"
#include "base/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "vmm/devices/testing/mmio_driver.h"
#include "vmm/devices/testing/virtqueue_driver.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using testing::MmioDriver;
using testing::VirtqueueDriver;

constexpr uint64_t kRamBytes = 4 << 20;
constexpr GuestPhysAddr kReceive(0x10000);
constexpr GuestPhysAddr kTransmit(0x20000);
constexpr GuestPhysAddr kText(0x100000);
constexpr uint16_t kSize = 16;

// The console between a driver and a pipe; the test is the event loop.
class VirtioConsoleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        memory_, GuestMemory::Create(
                     {{.start = GuestPhysAddr(0), .size_bytes = kRamBytes}}));
    ASSERT_OK_AND_ASSIGN(loop_, EventLoop::Create());
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    reader_.Reset(ends[0]);
    writer_end_.Reset(ends[1]);
    output_ = std::make_unique<ConsoleWriter>(loop_.get(), writer_end_.get(),
                                              [this] { ++first_bytes_; });
    ASSERT_OK_AND_ASSIGN(
        transport_,
        MmioTransport::Create(
            memory_.get(), loop_.get(),
            std::make_unique<VirtioConsole>(memory_.get(), output_.get()),
            {.interrupt = [this] { ++interrupts_; },
             .on_failure =
                 [this](const absl::Status& why) { failure_ = why; }}));
    registers_ = std::make_unique<MmioDriver>(transport_.get());
  }

  void Start() {
    ASSERT_TRUE(registers_->Negotiate(virtio::kFeatureVersion1));
    receive_ =
        std::make_unique<VirtqueueDriver>(memory_.get(), kReceive, kSize);
    transmit_ =
        std::make_unique<VirtqueueDriver>(memory_.get(), kTransmit, kSize);
    registers_->SetUpQueue(VirtioConsole::kReceiveQueue, receive_->layout());
    registers_->SetUpQueue(VirtioConsole::kTransmitQueue, transmit_->layout());
    registers_->SetDriverOk();
  }
  void Put(GuestPhysAddr at, absl::string_view text) {
    ASSERT_OK(memory_->Write(
        at, absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()),
                                text.size())));
  }
  void Notify() { registers_->Notify(VirtioConsole::kTransmitQueue); }
  // What arrived, once nothing is left to do.
  std::string Received() {
    std::string text;
    char buffer[65536];
    bool is_busy = true;
    while (is_busy) {
      is_busy = loop_->PollOnce(absl::ZeroDuration());
      ssize_t n;
      while ((n = read(reader_.get(), buffer, sizeof(buffer))) > 0) {
        text.append(buffer, size_t(n));
      }
    }
    return text;
  }

  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<EventLoop> loop_;
  UniqueFd reader_, writer_end_;
  std::unique_ptr<ConsoleWriter> output_;
  std::unique_ptr<MmioTransport> transport_;
  std::unique_ptr<MmioDriver> registers_;
  std::unique_ptr<VirtqueueDriver> receive_, transmit_;
  absl::Status failure_;
  int interrupts_ = 0;
  int first_bytes_ = 0;
};

TEST_F(VirtioConsoleTest, OffersNothingButVersionOne) {
  EXPECT_EQ(registers_->Read(virtio_mmio::kDeviceId), 3u);
  EXPECT_EQ(registers_->OfferedFeatures(), virtio::kFeatureVersion1);
  EXPECT_EQ(transport_->queue_count(), 2);
  std::byte config[16];
  transport_->Read(virtio_mmio::kConfig, absl::MakeSpan(config));
  EXPECT_THAT(config, Each(std::byte{0}));
}

TEST_F(VirtioConsoleTest, TextArrivesAndItsBufferComesBack) {
  Start();
  Put(kText, "hello\n");
  const uint16_t head = transmit_->Chain().Readable(kText, 6).Offer();
  Notify();
  EXPECT_EQ(Received(), "hello\n");
  std::optional<VirtqueueDriver::Used> used = transmit_->TakeUsed();
  ASSERT_TRUE(used.has_value());
  EXPECT_EQ(used->head, head);
  EXPECT_EQ(used->written_bytes, 0u);
  EXPECT_EQ(interrupts_, 1);
  EXPECT_EQ(first_bytes_, 1);
}

TEST_F(VirtioConsoleTest, InterruptsOnlyADriverThatWantsIt) {
  Start();
  transmit_->SetAvailableFlags(virtio::kAvailableNoInterrupt);
  Put(kText, "x\n");
  transmit_->Chain().Readable(kText, 2).Offer();
  Notify();
  EXPECT_EQ(Received(), "x\n");
  EXPECT_EQ(interrupts_, 0);
}

TEST_F(VirtioConsoleTest, PiecesOfOneChainAreOneText) {
  Start();
  Put(kText, "one two\n");
  transmit_->Chain()
      .Readable(kText, 4)
      .Readable(kText + 4, 3)
      .Readable(kText + 7, 1)
      .Offer();
  Notify();
  EXPECT_EQ(Received(), "one two\n");
}

TEST_F(VirtioConsoleTest, TextOfferedBeforeTheStartIsNotForgotten) {
  ASSERT_TRUE(registers_->Negotiate(virtio::kFeatureVersion1));
  receive_ = std::make_unique<VirtqueueDriver>(memory_.get(), kReceive, kSize);
  transmit_ =
      std::make_unique<VirtqueueDriver>(memory_.get(), kTransmit, kSize);
  registers_->SetUpQueue(0, receive_->layout());
  registers_->SetUpQueue(1, transmit_->layout());
  Put(kText, "early\n");
  transmit_->Chain().Readable(kText, 6).Offer();
  registers_->SetDriverOk();
  EXPECT_EQ(Received(), "early\n");
}

TEST_F(VirtioConsoleTest, LongTextIsTakenInTurnsAndNoneIsMissing) {
  Start();
  std::string text;
  for (size_t i = 0; text.size() < 5 * VirtioConsole::kMaxBytesAtOnce; ++i) {
    text += std::to_string(i);
  }
  Put(kText, text);
  const uint32_t half = uint32_t(text.size() / 2);
  transmit_->Chain()
      .Readable(kText, half)
      .Readable(kText + half, uint32_t(text.size()) - half)
      .Offer();
  Notify();
  // One visit of the loop takes a part; the buffer is not back yet.
  loop_->PollOnce(absl::ZeroDuration());
  EXPECT_FALSE(transmit_->TakeUsed().has_value());
  EXPECT_EQ(Received(), text);
  EXPECT_TRUE(transmit_->TakeUsed().has_value());
}

TEST_F(VirtioConsoleTest, FloodNobodyReadsCostsABoundedAmountAndIsCounted) {
  Start();
  for (int i = 0; i < kSize; ++i) {
    transmit_->Chain().Readable(GuestPhysAddr(0), kRamBytes).Offer();
  }
  Notify();
  int visits = 0;
  for (; loop_->PollOnce(absl::ZeroDuration()); ++visits) {
  }
  EXPECT_GE(visits, int(kSize * kRamBytes / VirtioConsole::kMaxBytesAtOnce));
  int returned = 0;
  while (transmit_->TakeUsed().has_value()) ++returned;
  EXPECT_EQ(returned, kSize);
  Put(kText, "after\n");
  // The reader is back: room again, and the place of the loss is marked.
  std::string text = Received();
  transmit_->Chain().Readable(kText, 6).Offer();
  Notify();
  text += Received();
  const size_t mark = text.find("\n[console: ");
  ASSERT_NE(mark, std::string::npos);
  long long lost = 0;
  ASSERT_EQ(
      sscanf(text.c_str() + mark, "\n[console: %lld bytes lost]\n", &lost), 1);
  const size_t mark_bytes = text.find("]\n", mark) + 2 - mark;
  EXPECT_EQ(int64_t(text.size() - mark_bytes) - 6 + lost,
            int64_t(kSize * kRamBytes));
  EXPECT_TRUE(absl::EndsWith(text, "after\n"));
}

TEST_F(VirtioConsoleTest, BuffersToReceiveIntoAreLeftAlone) {
  Start();
  receive_->Chain().Writable(kText, 64).Offer();
  registers_->Notify(VirtioConsole::kReceiveQueue);
  EXPECT_EQ(Received(), "");
  EXPECT_FALSE(receive_->TakeUsed().has_value());
  EXPECT_OK(failure_);
}

TEST_F(VirtioConsoleTest, WritableBufferToTransmitFailsTheDevice) {
  Start();
  transmit_->Chain().Readable(kText, 4).Writable(kText, 4).Offer();
  Notify();
  EXPECT_EQ(Received(), "");
  EXPECT_THAT(std::string(failure_.message()),
              HasSubstr("console: writable descriptor"));
  EXPECT_TRUE(registers_->Status() & virtio::kStatusNeedsReset);
}

TEST_F(VirtioConsoleTest, BrokenRingFailsTheDeviceAndAResetHeals) {
  Start();
  transmit_->OfferHead(kSize);
  Notify();
  EXPECT_EQ(Received(), "");
  EXPECT_FALSE(failure_.ok());
  Start();
  Put(kText, "again\n");
  transmit_->Chain().Readable(kText, 6).Offer();
  Notify();
  EXPECT_EQ(Received(), "again\n");
}

TEST_F(VirtioConsoleTest, ResetInTheMiddleOfALongTextForgetsTheRest) {
  Start();
  transmit_->Chain().Readable(GuestPhysAddr(0), kRamBytes).Offer();
  Notify();
  loop_->PollOnce(absl::ZeroDuration());
  registers_->Write(virtio_mmio::kStatus, 0);
  const size_t taken = Received().size();
  EXPECT_EQ(taken, VirtioConsole::kMaxBytesAtOnce);
  Start();
  EXPECT_EQ(Received(), "");
}

}  // namespace
}  // namespace ktstr::vmm
