// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

// A driver that puts any bytes into the rings and buffers of a console, resets
// it in the middle, and a reader who comes and goes. What arrives is no more
// than what the buffers held, the work ends, and what waits stays bounded.
//
// Shape: commands of one byte and their parameters.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/unique_fd.h"
#include "vmm/devices/testing/fuzz_input.h"
#include "vmm/devices/testing/mmio_driver.h"
#include "vmm/devices/testing/virtqueue_driver.h"
#include "vmm/devices/virtio/console.h"
#include "vmm/devices/virtio/mmio_transport.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {
namespace {

using testing::FuzzInput;
using testing::MmioDriver;
using testing::VirtqueueDriver;

// Room for the rings and for one text longer than what is taken at once.
constexpr uint64_t kRamBytes = 192 * 1024;
constexpr GuestPhysAddr kText(0x20000);
constexpr uint32_t kLongText = 0xC000;
static_assert(kLongText > VirtioConsole::kMaxBytesAtOnce);
constexpr uint16_t kSize = 4;
constexpr int kMaxCommands = 24;

class World {
 public:
  World() {
    memory_ = GuestMemory::Create(
                  {{.start = GuestPhysAddr(0), .size_bytes = kRamBytes}})
                  .value();
    loop_ = EventLoop::Create().value();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    reader_.Reset(ends[0]);
    writer_end_.Reset(ends[1]);
    output_ = std::make_unique<ConsoleWriter>(loop_.get(), writer_end_.get());
    transport_ =
        MmioTransport::Create(
            memory_.get(), loop_.get(),
            std::make_unique<VirtioConsole>(memory_.get(), output_.get()), {})
            .value();
  }

  void Run(FuzzInput input) {
    Start();
    for (int i = 0; i < kMaxCommands && !input.empty(); ++i) Command(input);
    MmioDriver(transport_.get()).Write(virtio_mmio::kStatus, 0);
    RunReady();
    while (Read()) RunReady();
  }

 private:
  // Queues of their own size, so that the fuzzer need not find them.
  void Start() {
    MmioDriver registers(transport_.get());
    if (!registers.Negotiate(virtio::kFeatureVersion1)) std::abort();
    receive_ = std::make_unique<VirtqueueDriver>(memory_.get(),
                                                 GuestPhysAddr(0), kSize);
    transmit_ = std::make_unique<VirtqueueDriver>(
        memory_.get(), GuestPhysAddr(0x10000), kSize);
    registers.SetUpQueue(0, receive_->layout());
    registers.SetUpQueue(1, transmit_->layout());
    registers.SetDriverOk();
  }
  void Command(FuzzInput& input) {
    MmioDriver registers(transport_.get());
    const uint8_t command = input.Take<uint8_t>();
    VirtqueueDriver& queue = command & 0x80 ? *receive_ : *transmit_;
    switch (command % 8) {
      case 0: {
        // A descriptor of any kind, offered.
        const uint16_t index = input.Take<uint8_t>() % kSize;
        queue.SetDescriptor(index, GuestPhysAddr(input.Take<uint32_t>()),
                            Length(input), input.Take<uint8_t>() % 8,
                            input.Take<uint8_t>() % (kSize + 1));
        queue.OfferHead(index);
        break;
      }
      case 1:
        queue.OfferHead(input.Take<uint16_t>() % (kSize + 1));
        break;
      case 2:
        queue.SetAvailableIndex(input.Take<uint16_t>());
        break;
      case 3: {
        // A well-behaved text; the driver waits for its buffers.
        while (queue.TakeUsed()) {
        }
        if (queue.free_descriptors() < 2) break;
        const GuestPhysAddr at = kText + input.Take<uint8_t>();
        if (!memory_->WriteU32(at, input.Take<uint32_t>()).ok()) std::abort();
        const uint32_t length = std::min(1 + Length(input), kLongText);
        queue.Chain().Readable(at, 4).Readable(kText, length).Offer();
        break;
      }
      case 4:
        Start();
        break;
      case 5:
        Read();
        break;
      case 6:
        registers.Write(input.Take<uint8_t>() * 4u, input.Take<uint32_t>());
        break;
      case 7:
        registers.Read(virtio_mmio::kConfig + input.Take<uint8_t>());
        break;
    }
    // Several commands may be one notification.
    if (command & 0x40) return;
    registers.Notify(command & 0x80 ? VirtioConsole::kReceiveQueue
                                    : VirtioConsole::kTransmitQueue);
    RunReady();
  }
  // Long ones cost time and lead to little that is new.
  static uint32_t Length(FuzzInput& input) {
    const uint8_t kind = input.Take<uint8_t>();
    if (kind < 240) return kind;
    return kind < 250 ? kLongText : input.Take<uint32_t>();
  }
  // True when there was something.
  bool Read() {
    static char bytes[1 << 16];
    return read(reader_.get(), bytes, sizeof(bytes)) > 0;
  }
  // At most 4 chains of 4 descriptors of all RAM, in turns of 32 KiB.
  void RunReady() {
    for (int rounds = 0; loop_->PollOnce(absl::ZeroDuration()); ++rounds) {
      if (rounds > 1000) std::abort();
    }
  }

  std::unique_ptr<GuestMemory> memory_;
  std::unique_ptr<EventLoop> loop_;
  UniqueFd reader_, writer_end_;
  std::unique_ptr<ConsoleWriter> output_;
  std::unique_ptr<MmioTransport> transport_;
  std::unique_ptr<VirtqueueDriver> receive_, transmit_;
};

}  // namespace
}  // namespace ktstr::vmm

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::vmm;  // NOLINT
  static World* world = new World;
  world->Run(FuzzInput(data, size));
  return 0;
}
