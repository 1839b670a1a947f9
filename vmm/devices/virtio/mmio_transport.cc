// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/mmio_transport.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "vmm/devices/virtio/virtio_mmio_registers.h"
#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm {

using namespace virtio;       // NOLINT: register names only.
using namespace virtio_mmio;  // NOLINT: register names only.

namespace {

constexpr uint32_t kDriverStatusBits = kStatusAcknowledge | kStatusDriver |
                                       kStatusFeaturesOk | kStatusDriverOk |
                                       kStatusFailed;

void SetLow(uint64_t& value, uint32_t low) {
  value = (value & 0xffffffff00000000) | low;
}
void SetHigh(uint64_t& value, uint32_t high) {
  value = (value & 0xffffffff) | (uint64_t{high} << 32);
}

}  // namespace

absl::StatusOr<std::unique_ptr<MmioTransport>> MmioTransport::Create(
    GuestMemory* memory, EventLoop* loop, std::unique_ptr<VirtioDevice> device,
    Options options) {
  auto transport = std::unique_ptr<MmioTransport>(
      new MmioTransport(memory, loop, std::move(device), std::move(options)));
  ABSL_RETURN_IF_ERROR(transport->WatchQueues());
  return transport;
}

MmioTransport::MmioTransport(GuestMemory* memory, EventLoop* loop,
                             std::unique_ptr<VirtioDevice> device,
                             Options options)
    : memory_(memory),
      loop_(loop),
      options_(std::move(options)),
      device_(std::move(device)),
      queues_(device_->queue_sizes().size()) {}

absl::Status MmioTransport::WatchQueues() {
  for (size_t i = 0; i < device_->queue_sizes().size(); ++i) {
    UniqueFd fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) return absl::ErrnoToStatus(errno, "create a queue's eventfd");
    ABSL_RETURN_IF_ERROR(loop_->Watch(fd.get(), EPOLLIN, [this, i](uint32_t) {
      QueueSignalled(static_cast<int>(i));
    }));
    notify_fds_.push_back(std::move(fd));
  }
  return absl::OkStatus();
}

MmioTransport::~MmioTransport() {
  for (const UniqueFd& fd : notify_fds_) loop_->Unwatch(fd.get());
  DeactivateDevice();
}

void MmioTransport::QueueSignalled(int queue) {
  eventfd_t count;
  eventfd_read(notify_fds_[queue].get(), &count);
  if (is_active_) device_->QueueNotified(queue);
}

void MmioTransport::RaiseFor(uint32_t cause) {
  interrupt_status_.fetch_or(cause);
  RaiseInterrupt(options_.interrupt);
}

void MmioTransport::InterruptForUsedBuffers() {
  RaiseFor(kInterruptUsedBuffer);
}

void MmioTransport::ContinueSoon(int queue) {
  eventfd_write(notify_fds_[queue].get(), 1);
}

void MmioTransport::Fail(const absl::Status& why) {
  is_active_ = false;
  {
    MutexLock lock(&mutex_);
    status_ |= kStatusNeedsReset;
  }
  RaiseFor(kInterruptConfigChange);
  // Not now: the device is in the middle of what went wrong.
  if (reset_timer_ == 0) {
    reset_timer_ = loop_->AddTimer(absl::ZeroDuration(), [this] {
      reset_timer_ = 0;
      device_->Reset();
    });
  }
  if (options_.on_failure) {
    options_.on_failure(Annotate(why, device_->name()));
  }
}

uint64_t MmioTransport::offered_features() const {
  return device_->features() | kFeatureVersion1;
}

void MmioTransport::Read(uint64_t offset, absl::Span<std::byte> out) {
  if (offset >= kConfig) {
    device_->ReadConfig(offset - kConfig, out);
    return;
  }
  std::fill(out.begin(), out.end(), std::byte{0});
  if (out.size() != sizeof(uint32_t) || offset % sizeof(uint32_t) != 0) return;
  const uint32_t value = ReadRegister(offset);
  std::memcpy(out.data(), &value, sizeof(value));
}

void MmioTransport::Write(uint64_t offset, absl::Span<const std::byte> in) {
  // No device has a writable configuration.
  if (offset >= kConfig) return;
  if (in.size() != sizeof(uint32_t) || offset % sizeof(uint32_t) != 0) return;
  uint32_t value;
  std::memcpy(&value, in.data(), sizeof(value));
  WriteRegister(offset, value);
}

uint32_t MmioTransport::ReadRegister(uint64_t offset) {
  switch (offset) {
    case kMagicValue:
      return kMagic;
    case kVersion:
      return kVersion2;
    case kDeviceId:
      return device_->device_id();
    case kVendorId:
      return kVendor;
    case kInterruptStatus:
      return interrupt_status_.load();
    case kShmLenLow:
    case kShmLenHigh:
    case kShmBaseLow:
    case kShmBaseHigh:
      return ~uint32_t{0};  // No shared memory region.
    default:
      break;
  }
  MutexLock lock(&mutex_);
  return ReadRegisterLocked(offset);
}

uint32_t MmioTransport::ReadRegisterLocked(uint64_t offset) {
  switch (offset) {
    case kDeviceFeatures:
      if (device_features_sel_ > 1) return 0;
      return static_cast<uint32_t>(offered_features() >>
                                   (32 * device_features_sel_));
    case kQueueNumMax:
      if (queue_sel_ >= queues_.size()) return 0;
      return device_->queue_sizes()[queue_sel_];
    case kQueueReady:
      return queue_sel_ < queues_.size() && queues_[queue_sel_].is_ready;
    case kStatus:
      return status_;
    default:
      return 0;
  }
}

void MmioTransport::WriteRegister(uint64_t offset, uint32_t value) {
  switch (offset) {
    case kQueueNotify:
      if (value < notify_fds_.size()) ContinueSoon(static_cast<int>(value));
      return;
    case kInterruptAck:
      interrupt_status_.fetch_and(~value);
      return;
    case kStatus:
      WriteStatus(value);
      return;
    default:
      break;
  }
  MutexLock lock(&mutex_);
  WriteSetupLocked(offset, value);
}

void MmioTransport::WriteSetupLocked(uint64_t offset, uint32_t value) {
  switch (offset) {
    case kDeviceFeaturesSel:
      device_features_sel_ = value;
      return;
    case kDriverFeaturesSel:
      driver_features_sel_ = value;
      return;
    case kQueueSel:
      queue_sel_ = value;
      return;
    default:
      break;
  }
  if (status_ & kStatusDriverOk) return;
  if (offset == kDriverFeatures) {
    if (status_ & kStatusFeaturesOk) return;
    if (driver_features_sel_ == 0) SetLow(driver_features_, value);
    if (driver_features_sel_ == 1) SetHigh(driver_features_, value);
    return;
  }
  if (queue_sel_ < queues_.size()) {
    WriteQueueLocked(queues_[queue_sel_], offset, value);
  }
}

void MmioTransport::WriteQueueLocked(QueueRegisters& queue, uint64_t offset,
                                     uint32_t value) {
  if (offset == kQueueReady) {
    queue.is_ready = value & 1;
    return;
  }
  if (queue.is_ready) return;
  switch (offset) {
    case kQueueNum:
      queue.size = value;
      return;
    case kQueueDescLow:
      return SetLow(queue.descriptor_table, value);
    case kQueueDescHigh:
      return SetHigh(queue.descriptor_table, value);
    case kQueueDriverLow:
      return SetLow(queue.available_ring, value);
    case kQueueDriverHigh:
      return SetHigh(queue.available_ring, value);
    case kQueueDeviceLow:
      return SetLow(queue.used_ring, value);
    case kQueueDeviceHigh:
      return SetHigh(queue.used_ring, value);
    default:
      return;
  }
}

void MmioTransport::WriteStatus(uint32_t value) {
  MutexLock transition(&transition_mutex_);
  if (value == 0) return ResetAll();
  bool starts;
  {
    MutexLock lock(&mutex_);
    starts = AdvanceStatusLocked(value);
  }
  // Cancelled means that the machine is ending: nobody will use the device.
  if (starts) (void)loop_->RunOnLoop([this] { ActivateDevice(); });
}

void MmioTransport::ResetAll() {
  (void)loop_->RunOnLoop([this] { DeactivateDevice(); });
  interrupt_status_ = 0;
  MutexLock lock(&mutex_);
  status_ = 0;
  device_features_sel_ = driver_features_sel_ = queue_sel_ = 0;
  driver_features_ = 0;
  std::fill(queues_.begin(), queues_.end(), QueueRegisters{});
}

bool MmioTransport::AdvanceStatusLocked(uint32_t value) {
  uint32_t added = value & kDriverStatusBits & ~status_;
  if (added & kStatusFeaturesOk) {
    const bool acceptable = (driver_features_ & ~offered_features()) == 0 &&
                            (driver_features_ & kFeatureVersion1) != 0;
    if (!acceptable) added &= ~kStatusFeaturesOk;
  }
  if (!((status_ | added) & kStatusFeaturesOk)) added &= ~kStatusDriverOk;
  status_ |= added;
  return added & kStatusDriverOk;
}

absl::StatusOr<std::vector<Virtqueue>> MmioTransport::BuildQueues(
    const std::vector<QueueRegisters>& registers) const {
  std::vector<Virtqueue> queues;
  for (size_t i = 0; i < registers.size(); ++i) {
    const QueueRegisters& queue = registers[i];
    const uint16_t max_size = device_->queue_sizes()[i];
    if (!queue.is_ready || queue.size > max_size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "queue ", i, queue.is_ready ? " is" : " is not", " ready with ",
          queue.size, " descriptors; accepted is ready with up to ", max_size));
    }
    absl::StatusOr<Virtqueue> built = Virtqueue::Create(
        memory_, {.size = static_cast<uint16_t>(queue.size),
                  .descriptor_table = GuestPhysAddr(queue.descriptor_table),
                  .available_ring = GuestPhysAddr(queue.available_ring),
                  .used_ring = GuestPhysAddr(queue.used_ring)});
    if (!built.ok()) {
      return Annotate(built.status(), absl::StrCat("queue ", i));
    }
    queues.push_back(*std::move(built));
  }
  return queues;
}

void MmioTransport::ActivateDevice() {
  std::vector<QueueRegisters> registers;
  uint64_t features;
  {
    MutexLock lock(&mutex_);
    registers = queues_;
    features = driver_features_;
  }
  absl::StatusOr<std::vector<Virtqueue>> queues = BuildQueues(registers);
  if (!queues.ok()) return Fail(queues.status());
  is_active_ = true;
  device_->Activate(features, *std::move(queues), this);
}

void MmioTransport::DeactivateDevice() {
  loop_->CancelTimer(reset_timer_);
  reset_timer_ = 0;
  is_active_ = false;
  device_->Reset();
}

}  // namespace ktstr::vmm
