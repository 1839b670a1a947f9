// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "vmm/devices/testing/virtqueue_driver.h"

#include <cstdlib>

#include "vmm/devices/virtio/virtio_registers.h"

namespace ktstr::vmm::testing {

using namespace virtio;  // NOLINT: register names only.

namespace {

// The test chose the addresses: a failure is the test's own mistake.
void Must(const absl::Status& status) {
  if (!status.ok()) std::abort();
}

}  // namespace

VirtqueueDriver::VirtqueueDriver(GuestMemory* memory, GuestPhysAddr base,
                                 uint16_t size)
    : memory_(memory),
      layout_{.size = size,
              .descriptor_table = base,
              .available_ring = base + kAreaBytes,
              .used_ring = base + 2 * kAreaBytes},
      chains_(size) {
  Must(memory->Fill(layout_.descriptor_table, size * kDescriptorBytes, 0));
  Must(memory->Fill(layout_.available_ring,
                    kAvailableRingOffset + size * kAvailableEntryBytes, 0));
  Must(memory->Fill(layout_.used_ring, kUsedRingOffset + size * kUsedEntryBytes,
                    0));
  for (int i = size - 1; i >= 0; --i) free_.push_back(i);
}

VirtqueueDriver::ChainBuilder& VirtqueueDriver::ChainBuilder::Readable(
    GuestPhysAddr gpa, uint32_t size_bytes) {
  return Raw(gpa, size_bytes, 0);
}

VirtqueueDriver::ChainBuilder& VirtqueueDriver::ChainBuilder::Writable(
    GuestPhysAddr gpa, uint32_t size_bytes) {
  return Raw(gpa, size_bytes, kDescriptorWrite);
}

VirtqueueDriver::ChainBuilder& VirtqueueDriver::ChainBuilder::Raw(
    GuestPhysAddr gpa, uint32_t size_bytes, uint16_t flags) {
  pieces_.push_back({gpa, size_bytes, flags});
  return *this;
}

uint16_t VirtqueueDriver::ChainBuilder::Offer() {
  if (pieces_.empty() || driver_->free_.size() < pieces_.size()) std::abort();
  std::vector<uint16_t> indices;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    indices.push_back(driver_->free_.back());
    driver_->free_.pop_back();
  }
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const bool is_last = i + 1 == pieces_.size();
    driver_->SetDescriptor(indices[i], pieces_[i].gpa, pieces_[i].size_bytes,
                           pieces_[i].flags | (is_last ? 0 : kDescriptorNext),
                           is_last ? 0 : indices[i + 1]);
  }
  const uint16_t head = indices.front();
  driver_->chains_[head] = std::move(indices);
  driver_->OfferHead(head);
  return head;
}

std::optional<VirtqueueDriver::Used> VirtqueueDriver::TakeUsed() {
  const uint16_t index =
      memory_->LoadAcquireU16(layout_.used_ring + kUsedIndexOffset).value();
  if (index == next_used_) return std::nullopt;
  const GuestPhysAddr entry = layout_.used_ring + kUsedRingOffset +
                              (next_used_ % layout_.size) * kUsedEntryBytes;
  const Used used = {
      .head = static_cast<uint16_t>(memory_->ReadU32(entry).value()),
      .written_bytes = memory_->ReadU32(entry + 4).value()};
  ++next_used_;
  if (used.head < chains_.size()) {
    for (uint16_t freed : chains_[used.head]) free_.push_back(freed);
    chains_[used.head].clear();
  }
  return used;
}

void VirtqueueDriver::SetDescriptor(uint16_t index, GuestPhysAddr gpa,
                                    uint32_t size_bytes, uint16_t flags,
                                    uint16_t next) {
  const GuestPhysAddr at = layout_.descriptor_table + index * kDescriptorBytes;
  Must(memory_->WriteU64(at, gpa.value()));
  Must(memory_->WriteU32(at + 8, size_bytes));
  Must(memory_->WriteU16(at + 12, flags));
  Must(memory_->WriteU16(at + 14, next));
}

void VirtqueueDriver::OfferHead(uint16_t head) {
  Must(memory_->WriteU16(
      layout_.available_ring + kAvailableRingOffset +
          (available_index_ % layout_.size) * kAvailableEntryBytes,
      head));
  SetAvailableIndex(available_index_ + 1);
}

void VirtqueueDriver::SetAvailableIndex(uint16_t index) {
  available_index_ = index;
  Must(memory_->StoreReleaseU16(layout_.available_ring + kAvailableIndexOffset,
                                index));
}

void VirtqueueDriver::SetAvailableFlags(uint16_t flags) {
  Must(memory_->StoreReleaseU16(layout_.available_ring, flags));
}

}  // namespace ktstr::vmm::testing
