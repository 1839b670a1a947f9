// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/virtqueue.h"

#include <cstring>
#include <memory>
#include <string>

#include "base/status_matchers.h"
#include "vmm/devices/testing/virtqueue_driver.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::ktstr::vmm::testing::VirtqueueDriver;
using ::testing::HasSubstr;
using namespace virtio;  // NOLINT: register names only.

constexpr uint64_t kRamBytes = 1024 * 1024;
constexpr uint16_t kSize = 8;
constexpr GuestPhysAddr kBuffer(0x80000);

class VirtqueueTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto memory = GuestMemory::Create(
        {{.start = GuestPhysAddr(0), .size_bytes = kRamBytes}});
    ASSERT_OK(memory);
    memory_ = *std::move(memory);
    driver_ = std::make_unique<VirtqueueDriver>(memory_.get(),
                                                GuestPhysAddr(0x1000), kSize);
    auto queue = Virtqueue::Create(memory_.get(), driver_->layout());
    ASSERT_OK(queue);
    queue_ = std::make_unique<Virtqueue>(*std::move(queue));
  }

  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<VirtqueueDriver> driver_;
  std::unique_ptr<Virtqueue> queue_;
};

TEST_F(VirtqueueTest, EmptyRingPopsNothing) {
  auto chain = queue_->Pop();
  ASSERT_OK(chain);
  EXPECT_FALSE(chain->has_value());
}

TEST_F(VirtqueueTest, ChainComesInDirectionsAndGoesBack) {
  const uint16_t head = driver_->Chain()
                            .Readable(kBuffer, 3)
                            .Readable(kBuffer + 100, 4)
                            .Writable(kBuffer + 200, 5)
                            .Offer();
  auto chain = queue_->Pop();
  ASSERT_OK(chain);
  ASSERT_TRUE(chain->has_value());
  EXPECT_EQ((*chain)->head, head);
  EXPECT_EQ((*chain)->readable.size_bytes(), 7u);
  EXPECT_EQ((*chain)->writable.size_bytes(), 5u);
  ASSERT_OK(queue_->Push(head, 2));
  auto used = driver_->TakeUsed();
  ASSERT_TRUE(used.has_value());
  EXPECT_EQ(used->head, head);
  EXPECT_EQ(used->written_bytes, 2u);
  EXPECT_FALSE(driver_->TakeUsed().has_value());
}

TEST_F(VirtqueueTest, IndicesWrapAround) {
  for (int i = 0; i < 70000; ++i) {
    driver_->Chain().Readable(kBuffer, 1).Offer();
    auto chain = queue_->Pop();
    ASSERT_OK(chain);
    ASSERT_TRUE(chain->has_value()) << i;
    ASSERT_OK(queue_->Push((*chain)->head, i));
    auto used = driver_->TakeUsed();
    ASSERT_TRUE(used.has_value());
    ASSERT_EQ(used->written_bytes, static_cast<uint32_t>(i));
  }
}

TEST_F(VirtqueueTest, UnpoppedChainComesAgain) {
  const uint16_t head = driver_->Chain().Readable(kBuffer, 1).Offer();
  ASSERT_OK(queue_->Pop());
  queue_->Unpop();
  auto chain = queue_->Pop();
  ASSERT_OK(chain);
  EXPECT_EQ((*chain)->head, head);
}

TEST_F(VirtqueueTest, ChainBytesCrossPieces) {
  driver_->Chain()
      .Writable(kBuffer, 3)
      .Writable(kBuffer + 10, 1)
      .Writable(kBuffer + 20, 3)
      .Offer();
  auto popped = queue_->Pop();
  ASSERT_OK(popped);
  const ChainBytes& bytes = (*popped)->writable;
  const std::string text = "abcde";
  const auto span = absl::MakeConstSpan(
      reinterpret_cast<const std::byte*>(text.data()), text.size());
  ASSERT_OK(bytes.Write(*memory_, 2, span));
  EXPECT_THAT(memory_->ReadU16(kBuffer + 2), IsOkAndHolds('a'));
  EXPECT_THAT(memory_->ReadU16(kBuffer + 10), IsOkAndHolds('b'));
  EXPECT_THAT(memory_->ReadU16(kBuffer + 21), IsOkAndHolds('d' | 'e' << 8));
  std::vector<std::byte> back(5);
  ASSERT_OK(bytes.Read(*memory_, 2, absl::MakeSpan(back)));
  EXPECT_EQ(std::memcmp(back.data(), text.data(), 5), 0);
  EXPECT_THAT(bytes.Write(*memory_, 3, span),
              StatusIs(absl::StatusCode::kOutOfRange));
  std::vector<iovec> pieces;
  ASSERT_OK(bytes.AppendIovecs(*memory_, 1, 4, pieces));
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].iov_len, 2u);
  EXPECT_EQ(pieces[2].iov_len, 1u);
  EXPECT_THAT(bytes.AppendIovecs(*memory_, ~uint64_t{0}, 2, pieces),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(VirtqueueTest, InterruptIsTheDriversChoice) {
  EXPECT_THAT(queue_->DriverWantsInterrupt(), IsOkAndHolds(true));
  driver_->SetAvailableFlags(kAvailableNoInterrupt);
  EXPECT_THAT(queue_->DriverWantsInterrupt(), IsOkAndHolds(false));
}

// ---- Hostile drivers.

TEST_F(VirtqueueTest, RefusesALoop) {
  driver_->SetDescriptor(0, kBuffer, 1, kDescriptorNext, 1);
  driver_->SetDescriptor(1, kBuffer, 1, kDescriptorNext, 0);
  driver_->OfferHead(0);
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("more than 8 descriptors")));
}

TEST_F(VirtqueueTest, AcceptsAChainOfTheWholeTable) {
  auto chain = driver_->Chain();
  for (int i = 0; i < kSize; ++i) chain.Readable(kBuffer, 1);
  chain.Offer();
  EXPECT_OK(queue_->Pop());
}

TEST_F(VirtqueueTest, RefusesDescriptorNumbersOutsideOfTheTable) {
  driver_->OfferHead(kSize);
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(VirtqueueTest, RefusesANextOutsideOfTheTable) {
  driver_->SetDescriptor(0, kBuffer, 1, kDescriptorNext, 0xffff);
  driver_->OfferHead(0);
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(VirtqueueTest, RefusesAnEmptyDescriptor) {
  driver_->Chain().Readable(kBuffer, 0).Offer();
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("is empty")));
}

TEST_F(VirtqueueTest, RefusesReadableAfterWritable) {
  driver_->Chain().Writable(kBuffer, 1).Readable(kBuffer, 1).Offer();
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("follows a writable")));
}

TEST_F(VirtqueueTest, RefusesIndirectDescriptors) {
  driver_->Chain().Raw(kBuffer, 16, kDescriptorIndirect).Offer();
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("indirect")));
}

TEST_F(VirtqueueTest, RefusesBuffersThatAreNotRam) {
  for (auto [gpa, size] : {std::pair<uint64_t, uint32_t>{kRamBytes - 1, 2},
                           {kRamBytes, 1},
                           {~uint64_t{0}, 0xffffffff},
                           {0, 0xffffffff}}) {
    VirtqueueDriver driver(memory_.get(), GuestPhysAddr(0x1000), kSize);
    auto queue = Virtqueue::Create(memory_.get(), driver.layout());
    ASSERT_OK(queue);
    driver.Chain().Readable(GuestPhysAddr(gpa), size).Offer();
    EXPECT_THAT(queue->Pop(), StatusIs(absl::StatusCode::kOutOfRange)) << gpa;
  }
}

TEST_F(VirtqueueTest, RefusesMoreChainsThanDescriptors) {
  driver_->SetAvailableIndex(kSize + 1);
  EXPECT_THAT(queue_->Pop(), StatusIs(absl::StatusCode::kInvalidArgument,
                                      HasSubstr("holds 9 chains")));
}

TEST_F(VirtqueueTest, CreateRefusesBadLayouts) {
  const Virtqueue::Layout good = driver_->layout();
  const auto create = [&](Virtqueue::Layout layout) {
    return Virtqueue::Create(memory_.get(), layout).status();
  };
  for (uint16_t size : {0, 3, 2048}) {
    Virtqueue::Layout bad = good;
    bad.size = size;
    EXPECT_THAT(create(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  }
  Virtqueue::Layout bad = good;
  bad.descriptor_table = good.descriptor_table + 8;
  EXPECT_THAT(create(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  bad = good;
  bad.available_ring = GuestPhysAddr(kRamBytes - 2);
  EXPECT_THAT(create(bad), StatusIs(absl::StatusCode::kOutOfRange,
                                    HasSubstr("available ring")));
  bad = good;
  bad.used_ring = GuestPhysAddr(~uint64_t{3});
  EXPECT_THAT(create(bad), StatusIs(absl::StatusCode::kOutOfRange));
}

}  // namespace
}  // namespace ktstr::vmm
