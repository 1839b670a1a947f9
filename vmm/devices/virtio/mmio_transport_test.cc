// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/mmio_transport.h"

#include <sys/eventfd.h>

#include <memory>
#include <optional>
#include <string>

#include "base/status_matchers.h"
#include "base/thread.h"
#include "vmm/devices/testing/mmio_driver.h"
#include "vmm/devices/testing/virtqueue_driver.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using ::ktstr::vmm::testing::MmioDriver;
using ::ktstr::vmm::testing::VirtqueueDriver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace virtio;       // NOLINT: register names only.
using namespace virtio_mmio;  // NOLINT: register names only.

constexpr uint64_t kRamBytes = 1024 * 1024;
constexpr uint64_t kFeatureEcho = 1 << 3;

// Returns every chain of either queue with as many bytes as it may write.
class EchoDevice : public VirtioDevice {
 public:
  absl::string_view name() const override { return "echo"; }
  uint32_t device_id() const override { return 42; }
  uint64_t features() const override { return kFeatureEcho; }
  absl::Span<const uint16_t> queue_sizes() const override { return kSizes; }
  void ReadConfig(uint64_t offset, absl::Span<std::byte> out) const override {
    for (std::byte& byte : out) byte = static_cast<std::byte>(offset++);
  }
  void Activate(uint64_t features, std::vector<Virtqueue> queues,
                VirtioTransport* transport) override {
    activations.push_back(features);
    queues_ = std::move(queues);
    transport_ = transport;
  }
  void QueueNotified(int queue) override {
    notified.push_back(queue);
    auto chain = queues_[queue].Pop();
    if (!chain.ok()) return transport_->Fail(chain.status());
    if (!chain->has_value()) return;
    ASSERT_OK(
        queues_[queue].Push((*chain)->head, (*chain)->writable.size_bytes()));
    transport_->InterruptForUsedBuffers();
  }
  void Reset() override {
    queues_.clear();
    ++resets;
  }

  std::vector<uint64_t> activations;
  std::vector<int> notified;
  int resets = 0;

 private:
  static constexpr uint16_t kSizes[] = {16, 8};
  std::vector<Virtqueue> queues_;
  VirtioTransport* transport_ = nullptr;
};

class MmioTransportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto memory = GuestMemory::Create(
        {{.start = GuestPhysAddr(0), .size_bytes = kRamBytes}});
    ASSERT_OK(memory);
    memory_ = *std::move(memory);
    auto loop = EventLoop::Create();
    ASSERT_OK(loop);
    loop_ = *std::move(loop);
    auto device = std::make_unique<EchoDevice>();
    device_ = device.get();
    auto transport = MmioTransport::Create(
        memory_.get(), loop_.get(), std::move(device),
        {.interrupt = [this] { ++interrupts_; },
         .on_failure = [this](const absl::Status& why) { failure_ = why; }});
    ASSERT_OK(transport);
    transport_ = *std::move(transport);
    driver_ = std::make_unique<MmioDriver>(transport_.get());
    first_ = std::make_unique<VirtqueueDriver>(memory_.get(),
                                               GuestPhysAddr(0x1000), 16);
    second_ = std::make_unique<VirtqueueDriver>(memory_.get(),
                                                GuestPhysAddr(0x21000), 8);
  }
  void Start() {
    ASSERT_TRUE(driver_->Negotiate(kFeatureVersion1 | kFeatureEcho));
    driver_->SetUpQueue(0, first_->layout());
    driver_->SetUpQueue(1, second_->layout());
    driver_->SetDriverOk();
  }
  void RunReady() {
    while (loop_->PollOnce(absl::ZeroDuration())) {
    }
  }

  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<EventLoop> loop_;
  EchoDevice* device_ = nullptr;
  std::unique_ptr<MmioTransport> transport_;
  std::unique_ptr<MmioDriver> driver_;
  std::unique_ptr<VirtqueueDriver> first_, second_;
  int interrupts_ = 0;
  absl::Status failure_;
};

TEST_F(MmioTransportTest, IdentifiesItself) {
  EXPECT_EQ(driver_->Read(kMagicValue), kMagic);
  EXPECT_EQ(driver_->Read(kVersion), 2u);
  EXPECT_EQ(driver_->Read(kDeviceId), 42u);
  EXPECT_EQ(driver_->OfferedFeatures(), kFeatureVersion1 | kFeatureEcho);
  driver_->Write(kQueueSel, 1);
  EXPECT_EQ(driver_->Read(kQueueNumMax), 8u);
  driver_->Write(kQueueSel, 2);
  EXPECT_EQ(driver_->Read(kQueueNumMax), 0u);
}

TEST_F(MmioTransportTest, ConfigurationIsReadByAnyWidth) {
  std::byte two[2];
  transport_->Read(kConfig + 5, absl::MakeSpan(two));
  EXPECT_THAT(two, ElementsAre(std::byte{5}, std::byte{6}));
}

TEST_F(MmioTransportTest, RegistersNeedWholeWords) {
  std::byte two[2] = {std::byte{9}, std::byte{9}};
  transport_->Read(kMagicValue, absl::MakeSpan(two));
  EXPECT_THAT(two, ElementsAre(std::byte{0}, std::byte{0}));
  transport_->Write(kStatus, absl::MakeConstSpan(two));
  EXPECT_EQ(driver_->Status(), 0u);
}

TEST_F(MmioTransportTest, DriverStartsTheDeviceAndBuffersGoRound) {
  Start();
  EXPECT_EQ(driver_->Status(), kStatusAcknowledge | kStatusDriver |
                                   kStatusFeaturesOk | kStatusDriverOk);
  EXPECT_THAT(device_->activations,
              ElementsAre(kFeatureVersion1 | kFeatureEcho));
  const uint16_t head =
      second_->Chain().Writable(GuestPhysAddr(0x80000), 7).Offer();
  driver_->Notify(1);
  RunReady();
  auto used = second_->TakeUsed();
  ASSERT_TRUE(used.has_value());
  EXPECT_EQ(used->head, head);
  EXPECT_EQ(used->written_bytes, 7u);
  EXPECT_EQ(interrupts_, 1);
  EXPECT_EQ(driver_->Read(kInterruptStatus), kInterruptUsedBuffer);
  driver_->Write(kInterruptAck, kInterruptUsedBuffer);
  EXPECT_EQ(driver_->Read(kInterruptStatus), 0u);
}

TEST_F(MmioTransportTest, NotifyFdIsTheSameAsTheRegister) {
  Start();
  first_->Chain().Writable(GuestPhysAddr(0x80000), 7).Offer();
  eventfd_write(transport_->notify_fd(0), 1);
  RunReady();
  EXPECT_THAT(device_->notified, ElementsAre(0));
  EXPECT_TRUE(first_->TakeUsed().has_value());
}

TEST_F(MmioTransportTest, RefusesFeaturesItDidNotOffer) {
  EXPECT_FALSE(driver_->Negotiate(kFeatureVersion1 | 1));
  EXPECT_FALSE(driver_->Negotiate(kFeatureEcho));
  driver_->SetDriverOk();
  EXPECT_EQ(driver_->Status() & kStatusDriverOk, 0u);
  EXPECT_TRUE(device_->activations.empty());
}

TEST_F(MmioTransportTest, NotificationsBeforeTheStartAreIgnored) {
  driver_->Notify(0);
  driver_->Notify(7);
  RunReady();
  EXPECT_TRUE(device_->notified.empty());
}

TEST_F(MmioTransportTest, QueueThatIsNotReadyNeedsReset) {
  ASSERT_TRUE(driver_->Negotiate(kFeatureVersion1));
  driver_->SetUpQueue(0, first_->layout());
  driver_->SetDriverOk();
  EXPECT_TRUE(driver_->Status() & kStatusNeedsReset);
  EXPECT_EQ(driver_->Read(kInterruptStatus), kInterruptConfigChange);
  EXPECT_TRUE(device_->activations.empty());
  EXPECT_THAT(failure_.message(), HasSubstr("echo: queue 1 is not ready"));
}

TEST_F(MmioTransportTest, QueueOutsideOfRamNeedsReset) {
  ASSERT_TRUE(driver_->Negotiate(kFeatureVersion1));
  Virtqueue::Layout layout = first_->layout();
  layout.used_ring = GuestPhysAddr(kRamBytes);
  driver_->SetUpQueue(0, layout);
  driver_->SetUpQueue(1, second_->layout());
  driver_->SetDriverOk();
  EXPECT_TRUE(driver_->Status() & kStatusNeedsReset);
  EXPECT_EQ(failure_.code(), absl::StatusCode::kOutOfRange);
}

TEST_F(MmioTransportTest, QueueThatIsTooLargeNeedsReset) {
  ASSERT_TRUE(driver_->Negotiate(kFeatureVersion1));
  Virtqueue::Layout layout = first_->layout();
  layout.size = 32;
  driver_->SetUpQueue(0, layout);
  driver_->SetUpQueue(1, second_->layout());
  driver_->SetDriverOk();
  EXPECT_TRUE(driver_->Status() & kStatusNeedsReset);
}

TEST_F(MmioTransportTest, BrokenRingNeedsResetAndWorksAfterIt) {
  Start();
  first_->SetAvailableIndex(1000);
  driver_->Notify(0);
  RunReady();
  EXPECT_TRUE(driver_->Status() & kStatusNeedsReset);
  EXPECT_EQ(failure_.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->resets, 2);  // By the first status write and the failure.
  device_->notified.clear();
  driver_->Notify(1);
  RunReady();
  EXPECT_TRUE(device_->notified.empty());

  *first_ = VirtqueueDriver(memory_.get(), GuestPhysAddr(0x1000), 16);
  Start();
  EXPECT_EQ(driver_->Status() & kStatusNeedsReset, 0u);
  first_->Chain().Writable(GuestPhysAddr(0x80000), 7).Offer();
  driver_->Notify(0);
  RunReady();
  EXPECT_TRUE(first_->TakeUsed().has_value());
}

TEST_F(MmioTransportTest, QueueRegistersAreFrozenWhileRunning) {
  Start();
  driver_->Write(kQueueSel, 0);
  driver_->Write(kQueueReady, 0);
  EXPECT_EQ(driver_->Read(kQueueReady), 1u);
  driver_->Write(kStatus, 0);
  EXPECT_EQ(driver_->Read(kQueueReady), 0u);
  EXPECT_EQ(driver_->Status(), 0u);
}

TEST_F(MmioTransportTest, ResetIsDoneWhenTheWriteReturns) {
  Thread thread("loop", [this] { loop_->Run(); });
  for (int i = 0; i < 100; ++i) {
    Start();
    first_->Chain().Writable(GuestPhysAddr(0x80000), 7).Offer();
    driver_->Notify(0);
    driver_->Write(kStatus, 0);
    // Whatever the device did, it does no more: memory may be reused.
    *first_ = VirtqueueDriver(memory_.get(), GuestPhysAddr(0x1000), 16);
    ASSERT_FALSE(first_->TakeUsed().has_value());
  }
  loop_->Stop();
  thread.Join();
  EXPECT_EQ(device_->activations.size(), 100u);
}

TEST_F(MmioTransportTest, StatusWritesAfterTheLoopEndedReturn) {
  loop_->Stop();
  ASSERT_TRUE(driver_->Negotiate(kFeatureVersion1));
  driver_->SetDriverOk();
  EXPECT_TRUE(device_->activations.empty());
}

}  // namespace
}  // namespace ktstr::vmm
