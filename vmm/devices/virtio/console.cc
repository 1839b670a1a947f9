// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/virtio/console.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"

namespace ktstr::vmm {

void VirtioConsole::ReadConfig(uint64_t /*offset*/,
                               absl::Span<std::byte> out) const {
  // struct virtio_console_config: every field belongs to a feature that is not
  // offered.
  std::fill(out.begin(), out.end(), std::byte{0});
}

void VirtioConsole::Activate(uint64_t /*features*/,
                             std::vector<Virtqueue> queues,
                             VirtioTransport* transport) {
  queues_ = std::move(queues);
  transport_ = transport;
  // Buffers made available before DRIVER_OK may have been notified in vain.
  Transmit();
}

void VirtioConsole::QueueNotified(int queue) {
  // Buffers to receive into just lie there.
  if (queue == kTransmitQueue) Transmit();
}

void VirtioConsole::Reset() {
  queues_.clear();
  current_.reset();
}

void VirtioConsole::Fail(const absl::Status& why) {
  Reset();
  transport_->Fail(why);
}

void VirtioConsole::Transmit() {
  size_t room = kMaxBytesAtOnce;
  int done = 0;
  while (room > 0 && done < kQueueSize) {
    absl::StatusOr<bool> has_chain = TakeChain();
    if (!has_chain.ok()) return Fail(has_chain.status());
    if (!*has_chain) break;
    absl::StatusOr<size_t> passed_on = PassOn(room);
    if (!passed_on.ok()) return Fail(passed_on.status());
    room -= *passed_on;
    if (passed_on_ < current_->readable.size_bytes()) break;
    const uint16_t head = std::exchange(current_, std::nullopt)->head;
    absl::Status status = queues_[kTransmitQueue].Push(head, 0);
    if (!status.ok()) return Fail(status);
    ++done;
  }
  const bool is_interrupted = room == 0 || done == kQueueSize;
  if (done > 0) InterruptIfWanted();
  if (is_active() && is_interrupted) transport_->ContinueSoon(kTransmitQueue);
}

absl::StatusOr<bool> VirtioConsole::TakeChain() {
  if (current_.has_value()) return true;
  ABSL_ASSIGN_OR_RETURN(current_, queues_[kTransmitQueue].Pop());
  if (!current_.has_value()) return false;
  if (current_->writable.size_bytes() > 0) {
    return absl::InvalidArgumentError(
        "writable descriptor in the transmit queue");
  }
  passed_on_ = 0;
  return true;
}

absl::StatusOr<size_t> VirtioConsole::PassOn(size_t max_bytes) {
  const ChainBytes& text = current_->readable;
  const size_t size =
      size_t(std::min<uint64_t>(max_bytes, text.size_bytes() - passed_on_));
  const absl::Span<std::byte> bytes = absl::MakeSpan(bytes_).first(size);
  // Copied, because the guest may change it while it is looked at.
  ABSL_RETURN_IF_ERROR(text.Read(*memory_, passed_on_, bytes));
  // SAFETY: bytes seen as text.
  output_->Append(absl::string_view(reinterpret_cast<const char*>(bytes.data()),
                                    bytes.size()));
  passed_on_ += size;
  return size;
}

void VirtioConsole::InterruptIfWanted() {
  const absl::StatusOr<bool> wanted =
      queues_[kTransmitQueue].DriverWantsInterrupt();
  if (!wanted.ok()) return Fail(wanted.status());
  if (*wanted) transport_->InterruptForUsedBuffers();
}

}  // namespace ktstr::vmm
