// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_CONSOLE_H_
#define KTSTR_VMM_DEVICES_VIRTIO_CONSOLE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vmm/devices/console_writer.h"
#include "vmm/devices/virtio/virtio_device.h"
#include "vmm/devices/virtio/virtio_registers.h"
#include "vmm/devices/virtio/virtqueue.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// A virtio console that only talks, as Serial does: what the guest transmits
// goes to a ConsoleWriter, nothing is ever received. One port, no features, no
// size: Linux's hvc0.
//
// Shape:    two queues, receiveq(0) and transmitq(0). A chain is returned once
//           all of it is with the writer, so a driver that waits for that (as
//           Linux does, also in a panic) has said what it had to say.
// Trust:    queues and buffers are guest-controlled: broken rings and writable
//           buffers in the transmit queue fail the device. However long the
//           buffers, at most kMaxBytesAtOnce are copied before others have
//           their turn on the loop, and no more memory is used than that.
// Threads:  the event loop's, as VirtioDevice says.
// Lifetime: borrows memory and writer.
// Source:   VIRTIO 1.2 section 5.3.
class VirtioConsole : public VirtioDevice {
 public:
  static constexpr int kReceiveQueue = 0;
  static constexpr int kTransmitQueue = 1;
  static constexpr uint16_t kQueueSize = 256;
  static constexpr size_t kMaxBytesAtOnce = 32 * 1024;

  VirtioConsole(const GuestMemory* memory, ConsoleWriter* output)
      : memory_(memory), output_(output) {}

  // VirtioDevice:
  absl::string_view name() const override { return "console"; }
  uint32_t device_id() const override { return virtio::kDeviceIdConsole; }
  uint64_t features() const override { return 0; }
  absl::Span<const uint16_t> queue_sizes() const override {
    return kQueueSizes;
  }
  void ReadConfig(uint64_t offset, absl::Span<std::byte> out) const override;
  void Activate(uint64_t features, std::vector<Virtqueue> queues,
                VirtioTransport* transport) override;
  void QueueNotified(int queue) override;
  void Reset() override;

 private:
  static constexpr std::array<uint16_t, 2> kQueueSizes = {kQueueSize,
                                                          kQueueSize};

  void Transmit();
  // Makes the next chain current_. False when there is none.
  absl::StatusOr<bool> TakeChain();
  // Passes on up to `max_bytes` of the current chain; the bytes it were.
  absl::StatusOr<size_t> PassOn(size_t max_bytes);
  void InterruptIfWanted();
  void Fail(const absl::Status& why);
  bool is_active() const { return !queues_.empty(); }

  // Constant after construction.
  const GuestMemory* const memory_;
  ConsoleWriter* const output_;

  // Between Activate and Reset or failure.
  std::vector<Virtqueue> queues_;
  VirtioTransport* transport_ = nullptr;

  // The chain being transmitted, and how much of it is with the writer.
  std::optional<DescriptorChain> current_;
  uint64_t passed_on_ = 0;
  std::array<std::byte, kMaxBytesAtOnce> bytes_;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_CONSOLE_H_
