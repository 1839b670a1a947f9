// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_VIRTIO_DEVICE_H_
#define KTSTR_VMM_DEVICES_VIRTIO_VIRTIO_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "vmm/devices/virtio/virtqueue.h"

namespace ktstr::vmm {

// What a device may ask of the transport it is attached to.
//
// Threads: the event loop's.
class VirtioTransport {
 public:
  virtual ~VirtioTransport() = default;

  // Tells the driver that used buffers wait.
  virtual void InterruptForUsedBuffers() = 0;

  // Calls QueueNotified(queue) again soon; for a device that stops in the
  // middle to let others work.
  virtual void ContinueSoon(int queue) = 0;

  // The driver broke the rules: the device shows NEEDS_RESET and is reset soon
  // after. The device uses no queue from here on.
  virtual void Fail(const absl::Status& why) = 0;
};

// One kind of virtio device, independent of how the driver reaches it.
//
// Threads: the event loop's, except where a line says any.
class VirtioDevice {
 public:
  virtual ~VirtioDevice() = default;

  // Constant; any thread.
  virtual absl::string_view name() const = 0;
  virtual uint32_t device_id() const = 0;
  // Device-specific features offered.
  virtual uint64_t features() const = 0;
  // The largest size of each queue.
  virtual absl::Span<const uint16_t> queue_sizes() const = 0;

  // Device configuration space; fills `out`, with zeros beyond its end. Any
  // thread.
  virtual void ReadConfig(uint64_t offset, absl::Span<std::byte> out) const = 0;

  // The driver is ready: `features` are a subset of those offered, `queues`
  // has one entry for each of queue_sizes(). The transport outlives the device.
  virtual void Activate(uint64_t features, std::vector<Virtqueue> queues,
                        VirtioTransport* transport) = 0;
  // The driver made buffers available. Only between Activate and Reset.
  virtual void QueueNotified(int queue) = 0;
  // Back to the state before Activate; no guest memory is touched afterwards.
  // May be called when not active.
  virtual void Reset() = 0;
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_VIRTIO_DEVICE_H_
