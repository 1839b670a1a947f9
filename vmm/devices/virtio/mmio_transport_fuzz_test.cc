// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// Any sequence of register accesses, over RAM that holds fuzzer bytes, so that
// queues come to life and are worked on.
//
// Shape: each access is one byte of kind, one of register, four of value.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "vmm/devices/testing/mmio_driver.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using namespace virtio_mmio;  // NOLINT: register names only.

constexpr uint64_t kRamBytes = 4 * 4096;

// Returns every chain, written full.
class FillingDevice : public VirtioDevice {
 public:
  absl::string_view name() const override { return "filling"; }
  uint32_t device_id() const override { return 1; }
  uint64_t features() const override { return 0; }
  absl::Span<const uint16_t> queue_sizes() const override { return kSizes; }
  void ReadConfig(uint64_t, absl::Span<std::byte> out) const override {
    std::fill(out.begin(), out.end(), std::byte{0});
  }
  void Activate(uint64_t, std::vector<Virtqueue> queues,
                VirtioTransport* transport) override {
    queues_ = std::move(queues);
    transport_ = transport;
  }
  void QueueNotified(int index) override {
    for (int i = 0; i < kSizes[index]; ++i) {
      auto chain = queues_[index].Pop();
      if (!chain.ok()) return transport_->Fail(chain.status());
      if (!chain->has_value()) break;
      if (!queues_[index].Push((*chain)->head, 1).ok()) std::abort();
    }
    transport_->InterruptForUsedBuffers();
  }
  void Reset() override { queues_.clear(); }

 private:
  static constexpr uint16_t kSizes[] = {8, 256};
  std::vector<Virtqueue> queues_;
  VirtioTransport* transport_ = nullptr;
};

struct World {
  World() {
    memory = GuestMemory::Create(
                 {{.start = GuestPhysAddr(0), .size_bytes = kRamBytes}})
                 .value();
    loop = EventLoop::Create().value();
    transport = MmioTransport::Create(memory.get(), loop.get(),
                                      std::make_unique<FillingDevice>(), {})
                    .value();
  }
  std::unique_ptr<GuestMemory> memory;
  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<MmioTransport> transport;
};

void RunReady(World& world) {
  for (int i = 0; world.loop->PollOnce(absl::ZeroDuration()); ++i) {
    if (i > 100) std::abort();
  }
}

// Looking for work is a system call, which most accesses need not cost.
bool LeavesWork(int kind, uint64_t offset) {
  return kind >= 2 ||
         (kind == 0 && (offset == kQueueNotify || offset == kStatus));
}

void Access(World& world, const uint8_t* at) {
  testing::MmioDriver driver(world.transport.get());
  uint32_t value;
  std::memcpy(&value, at + 2, sizeof(value));
  const uint64_t offset = at[1] * 4u;
  switch (at[0] % 4) {
    case 0:
      driver.Write(offset, value);
      break;
    case 1:
      driver.Read(offset);
      break;
    case 2: {
      std::byte bytes[8] = {};
      const size_t width = size_t{1} << (value % 4);
      const uint64_t odd = (offset + (value >> 8)) % kSizeBytes;
      world.transport->Write(odd, absl::MakeConstSpan(bytes).first(width));
      world.transport->Read(odd, absl::MakeSpan(bytes).first(width));
      break;
    }
    case 3:
      // A well-behaved start, so that the fuzzer need not find it.
      driver.Negotiate(virtio::kFeatureVersion1);
      for (int queue = 0; queue < 2; ++queue) {
        driver.SetUpQueue(queue,
                          {.size = 8,
                           .descriptor_table = GuestPhysAddr(0),
                           .available_ring = GuestPhysAddr(256 + queue * 64),
                           .used_ring = GuestPhysAddr(512)});
      }
      driver.SetDriverOk();
      break;
  }
  if (LeavesWork(at[0] % 4, offset)) RunReady(world);
}

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  static World* world = new World;
  const size_t ram = std::min<size_t>(size, 512);
  if (!world->memory
           ->Write(GuestPhysAddr(0),
                   absl::MakeConstSpan(reinterpret_cast<const std::byte*>(data),
                                       ram))
           .ok()) {
    std::abort();
  }
  for (size_t at = 0; at + 6 <= std::min<size_t>(size, 1024); at += 6) {
    Access(*world, data + at);
  }
  testing::MmioDriver(world->transport.get()).Write(kStatus, 0);
  return 0;
}
