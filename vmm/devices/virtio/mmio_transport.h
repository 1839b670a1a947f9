// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#ifndef KTSTR_VMM_DEVICES_VIRTIO_MMIO_TRANSPORT_H_
#define KTSTR_VMM_DEVICES_VIRTIO_MMIO_TRANSPORT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "base/unique_fd.h"
#include "vmm/devices/device.h"
#include "vmm/devices/event_loop.h"
#include "vmm/devices/interrupt.h"
#include "vmm/devices/virtio/virtio_device.h"
#include "vmm/devices/virtio/virtqueue.h"
#include "vmm/memory/guest_memory.h"

namespace ktstr::vmm {

// The register file through which a driver negotiates with one virtio device.
// The device itself works on the event loop only: notifications reach it by
// eventfd, and a status write that starts or resets it waits until the loop has
// done so, so that after a reset no buffer of the driver is touched.
//
// Shape:    virtio_mmio::kSizeBytes bytes. Registers answer 32-bit aligned
//           accesses; any other reads as zero and writes nothing. Queue and
//           feature registers are frozen while DRIVER_OK is set.
// Trust:    every offset and value is the guest's.
// Threads:  Read and Write from any thread. Create and the destructor while
//           nobody is inside the loop, or on it.
// Blocks:   a write of Status waits for the event loop.
// Lifetime: borrows memory and loop, which outlive it; owns the device.
// Source:   virtio_mmio_registers.h; VIRTIO 1.2 sections 3.1 and 4.2.
class MmioTransport : public IoDevice, private VirtioTransport {
 public:
  struct Options {
    InterruptLine interrupt;
    // Told why the device shows NEEDS_RESET, on the event loop.
    std::function<void(const absl::Status&)> on_failure;
  };

  // Errors: the mapping of errno when the host has no descriptors left.
  static absl::StatusOr<std::unique_ptr<MmioTransport>> Create(
      GuestMemory* memory, EventLoop* loop,
      std::unique_ptr<VirtioDevice> device, Options options);
  ~MmioTransport() override;

  absl::string_view name() const override { return device_->name(); }
  void Read(uint64_t offset, absl::Span<std::byte> out) override;
  void Write(uint64_t offset, absl::Span<const std::byte> in) override;

  int queue_count() const { return static_cast<int>(notify_fds_.size()); }
  // An eventfd whose signal means "queue notified": for an ioeventfd of 4 bytes
  // on virtio_mmio::kQueueNotify that matches the value `queue`.
  int notify_fd(int queue) const { return notify_fds_[queue].get(); }

 private:
  struct QueueRegisters {
    uint32_t size = 0;
    bool is_ready = false;
    uint64_t descriptor_table = 0;
    uint64_t available_ring = 0;
    uint64_t used_ring = 0;
  };

  MmioTransport(GuestMemory* memory, EventLoop* loop,
                std::unique_ptr<VirtioDevice> device, Options options);

  // VirtioTransport:
  void InterruptForUsedBuffers() override;
  void ContinueSoon(int queue) override;
  void Fail(const absl::Status& why) override;

  absl::Status WatchQueues();
  void QueueSignalled(int queue);
  void RaiseFor(uint32_t cause);
  uint64_t offered_features() const;

  uint32_t ReadRegister(uint64_t offset);
  uint32_t ReadRegisterLocked(uint64_t offset)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteRegister(uint64_t offset, uint32_t value);
  void WriteSetupLocked(uint64_t offset, uint32_t value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteQueueLocked(QueueRegisters& queue, uint64_t offset, uint32_t value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void WriteStatus(uint32_t value);
  void ResetAll();
  // Sets what the driver may set; true when DRIVER_OK is new.
  bool AdvanceStatusLocked(uint32_t value)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // On the loop.
  void ActivateDevice();
  void DeactivateDevice();
  absl::StatusOr<std::vector<Virtqueue>> BuildQueues(
      const std::vector<QueueRegisters>& registers) const;

  // Constant after construction.
  GuestMemory* const memory_;
  EventLoop* const loop_;
  const Options options_;
  std::vector<UniqueFd> notify_fds_;

  // Thread-safe by themselves.
  std::atomic<uint32_t> interrupt_status_ = 0;

  // The loop's; constant methods from any thread.
  const std::unique_ptr<VirtioDevice> device_;
  bool is_active_ = false;
  EventLoop::TimerId reset_timer_ = 0;

  // Makes a status write atomic with the device's transition on the loop. Held
  // while waiting for the loop, which never takes it. Before mutex_.
  Mutex transition_mutex_;
  // Guards the registers; after transition_mutex_, never held while calling
  // out.
  Mutex mutex_;
  uint32_t status_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t device_features_sel_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t driver_features_sel_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t driver_features_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t queue_sel_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<QueueRegisters> queues_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ktstr::vmm

#endif  // KTSTR_VMM_DEVICES_VIRTIO_MMIO_TRANSPORT_H_
